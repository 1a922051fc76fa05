//! What the replies of mail systems mean: pure data, no I/O.
//!
//! Enough of the catalogue to tell a block from any other refusal; formats of replies are those of
//! Microsoft, the only provider that numbers its blocks.

/// The provider's own code in a reply: `(S3140)` or `(AS16012609)` in parentheses, else a bare
/// token like `S3140`. The first that is there counts.
///
/// ```
/// let reply = "550 5.7.1 part of their network is on our block list (S3140).";
/// assert_eq!(postwatch::codes::provider_code(reply), Some("S3140"));
/// ```
pub fn provider_code(text: &str) -> Option<&str> {
    let parenthesized = text.split('(').skip(1).find_map(|rest| {
        let (inner, _) = rest.split_once(')')?;
        let inner = inner.trim();
        (is_s_code(inner) || is_as_code(inner)).then_some(inner)
    });
    parenthesized.or_else(|| {
        text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'))
            .map(|token| token.trim_end_matches('.'))
            .find(|token| is_s_code(token))
    })
}

/// `S` and three to five digits.
fn is_s_code(token: &str) -> bool {
    digits_after(token, "S").is_some_and(|digits| (3..=5).contains(&digits))
}

/// `AS` and digits.
fn is_as_code(token: &str) -> bool {
    digits_after(token, "AS").is_some_and(|digits| (1..=20).contains(&digits))
}

fn digits_after(token: &str, prefix: &str) -> Option<usize> {
    let digits = token.strip_prefix(prefix)?;
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then_some(digits.len())
}

/// The enhanced statuses that say that the sender or its address is blocked, or throttled, for its
/// reputation: class, subject, first and last detail.
const BLOCKS: &[(u16, u16, u16, u16)] = &[
    // Too much suspicious traffic, try again later.
    (4, 7, 500, 699),
    (4, 7, 850, 899),
    // Abuse detected, banned sender.
    (5, 7, 501, 503),
    // The address has exceeded what it may send.
    (5, 7, 508, 508),
    // Banned sender.
    (5, 7, 511, 511),
    // The sending domain does not meet the required authentication level.
    (5, 7, 515, 515),
    // Banned sending address.
    (5, 7, 606, 649),
];

/// Whether an enhanced status (RFC 3463) is one that says that the sender is blocked or throttled.
pub fn is_block_status(status: &str) -> bool {
    enhanced(status).is_some_and(|(class, subject, detail)| {
        BLOCKS.iter().any(|&(c, s, first, last)| {
            c == class && s == subject && (first..=last).contains(&detail)
        })
    })
}

/// Splits an enhanced status: `5.7.606`.
fn enhanced(status: &str) -> Option<(u16, u16, u16)> {
    let mut numbers = status.trim().split('.').map(|part| {
        let plain = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse::<u16>().ok()).flatten()
    });
    let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some((class, subject, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_codes() {
        for (text, code) in [
            (
                "550 5.7.1 on our block list (S3150). [Name=x]",
                Some("S3150"),
            ),
            (
                "451 4.7.650 rate limited due to IP reputation ( S775 )",
                Some("S775"),
            ),
            (
                "banned sending IP [192.0.2.1] (AS16012609)",
                Some("AS16012609"),
            ),
            ("451 4.7.500 Server busy (AS761)", Some("AS761")),
            ("550 SC-001 refused, see S3140.", Some("S3140")),
            ("(in reply to MAIL FROM) S3140 (S77719)", Some("S77719")),
            ("refused by BLU004-OMC3S1300.mx.example", None),
            ("refused by S3140.mx.example", None),
            ("routed through AS8075", None),
            ("(S12) (S123456) (-1915321397:308:-2147467259)", None),
            ("(AS) (S) ()", None),
            ("(((((", None),
        ] {
            assert_eq!(provider_code(text), code, "{text}");
        }
    }

    #[test]
    fn block_statuses() {
        for status in [
            "5.7.606", "5.7.649", "5.7.511", "4.7.650", "4.7.500", "5.7.515",
        ] {
            assert!(is_block_status(status), "{status}");
        }
        for status in [
            "5.7.1",
            "5.7.605",
            "5.7.650",
            "5.7.512",
            "5.7.513",
            "4.7.700",
            "5.1.1",
            "5.7",
            "",
            "5.7.606.1",
            "5.7.+606",
            "6.7.606",
            "5.7.65536",
        ] {
            assert!(!is_block_status(status), "{status}");
        }
    }
}
