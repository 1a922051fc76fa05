//! The words of enumerations that the database holds as numbers.

use crate::report::complaint::Shape;
use crate::report::vocabulary as v;

/// The words of an enumeration, by their numbers.
pub(super) type Words = fn(i64) -> Option<&'static str>;

macro_rules! words {
    ($($name:ident: $type:ty),+ $(,)?) => {
        $(pub(super) fn $name(number: i64) -> Option<&'static str> {
            let number = usize::try_from(number).ok()?;
            <$type>::ALL.get(number).map(|word| word.as_str())
        })+
    };
}

words! {
    disposition: v::Disposition,
    policy: v::Policy,
    alignment: v::Alignment,
    evaluated: v::Evaluated,
    discovery_method: v::DiscoveryMethod,
    feedback_type: v::FeedbackType,
    auth_failure: v::AuthFailure,
    delivery_result: v::DeliveryResult,
    tls_policy_type: v::TlsPolicyType,
    tls_result_type: v::TlsResultType,
    action: v::Action,
    colour: v::Colour,
}

pub(super) fn shape(number: i64) -> Option<&'static str> {
    Some(match number {
        0 => Shape::Arf.as_str(),
        1 => Shape::JmrpAttachment.as_str(),
        2 => Shape::JmrpOriginal.as_str(),
        3 => Shape::JmrpArf.as_str(),
        _ => return None,
    })
}

pub(super) fn refusal(number: i64) -> Option<&'static str> {
    Some(match number {
        0 => "refused",
        1 => "deferred",
        _ => return None,
    })
}

pub(super) fn via(number: i64) -> Option<&'static str> {
    Some(match number {
        0 => "log",
        1 => "probe",
        _ => return None,
    })
}

pub(super) fn trust(number: i64) -> Option<&'static str> {
    Some(match number {
        0 => "unknown",
        1 => "authenticated",
        2 => "failed",
        _ => return None,
    })
}

pub(super) fn generation(number: i64) -> Option<&'static str> {
    Some(match number {
        7489 => "rfc7489",
        9990 => "rfc9990",
        _ => return None,
    })
}

/// The number of a word; the words there are where it is none of them.
pub(super) fn number(words: Words, word: &str) -> Result<i64, String> {
    let all: Vec<&str> = (0..).map_while(words).collect();
    match all
        .iter()
        .position(|known| known.eq_ignore_ascii_case(word))
    {
        Some(number) => Ok(i64::try_from(number).unwrap_or_default()),
        None => Err(all.join(", ")),
    }
}

/// Which list of SNDS.
pub(super) fn layout(number: i64) -> Option<&'static str> {
    match number {
        0 => Some("data"),
        1 => Some("status"),
        _ => None,
    }
}

/// How bad an alert is.
pub(super) fn level(number: i64) -> Option<&'static str> {
    matches!(number, 0 | 1).then(|| super::alerts::level(number == 1))
}
