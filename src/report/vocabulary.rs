//! The words that reports use, in their normal form.
//!
//! Reading never fails: case and surrounding space do not matter, spellings seen in the wild are
//! mapped, and what is left is `Other`. Whoever reads keeps the sent text where it says more than
//! the word does ([`Word::differs`]).

use serde::{Serialize, Serializer};

/// A word as read: its value, and whether the sent text must be kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<T> {
    /// The normal form.
    pub value: T,
    /// True where the sent text was another spelling (case aside) or is unknown.
    pub differs: bool,
}

macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// Outside the known set.
            Other,
        }

        impl $name {
            /// Every value, in the order of the numbers that are stored.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+ Self::Other];

            /// The normal form.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other => "other",
                }
            }

            /// Reads a word; `None` where the text is empty.
            pub fn read(text: &str) -> Option<Word<Self>> {
                // As nearly all write it.
                match text {
                    $($text => return Some(Word { value: Self::$variant, differs: false }),)+
                    _ => {}
                }
                let text = text.trim();
                if text.is_empty() {
                    return None;
                }
                $(
                    if text.eq_ignore_ascii_case($text) {
                        return Some(Word { value: Self::$variant, differs: false });
                    }
                )+
                $($(
                    if text.eq_ignore_ascii_case($alias) {
                        return Some(Word { value: Self::$variant, differs: true });
                    }
                )*)+
                Some(Word { value: Self::Other, differs: !text.eq_ignore_ascii_case("other") })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

vocabulary! {
    /// What the receiver did (RFC 7489 appendix C, RFC 9990).
    Disposition {
        /// Nothing.
        None = "none",
        /// Passed DMARC under an enforcing policy (RFC 9990).
        Pass = "pass",
        /// Treated as suspicious.
        Quarantine = "quarantine",
        /// Refused.
        Reject = "reject",
    }
}

vocabulary! {
    /// A published policy: `p`, `sp`, `np`.
    Policy {
        /// Nothing is asked for.
        None = "none",
        /// Treat as suspicious.
        Quarantine = "quarantine",
        /// Refuse.
        Reject = "reject",
    }
}

vocabulary! {
    /// Alignment mode: `adkim`, `aspf`.
    Alignment {
        /// Relaxed.
        Relaxed = "r" | "relaxed",
        /// Strict.
        Strict = "s" | "strict",
    }
}

vocabulary! {
    /// DKIM or SPF as evaluated by DMARC, that is with alignment.
    Evaluated {
        /// Passed and aligned.
        Pass = "pass",
        /// Failed, or not aligned.
        Fail = "fail",
    }
}

vocabulary! {
    /// A DKIM result (RFC 8601 section 2.7.1).
    DkimResult {
        /// No signature.
        None = "none",
        /// Verified.
        Pass = "pass",
        /// Did not verify.
        Fail = "fail" | "hardfail",
        /// Verified, but not acceptable to the receiver.
        Policy = "policy",
        /// Could not be processed.
        Neutral = "neutral",
        /// A passing error.
        Temperror = "temperror" | "unknown",
        /// A lasting error.
        Permerror = "permerror" | "error",
    }
}

vocabulary! {
    /// An SPF result (RFC 8601 section 2.7.2).
    SpfResult {
        /// No record.
        None = "none",
        /// Neither.
        Neutral = "neutral",
        /// Permitted.
        Pass = "pass",
        /// Not permitted.
        Fail = "fail" | "hardfail",
        /// Probably not permitted.
        Softfail = "softfail",
        /// A passing error.
        Temperror = "temperror" | "unknown",
        /// A lasting error.
        Permerror = "permerror" | "error",
        /// Not acceptable to the receiver.
        Policy = "policy",
    }
}

vocabulary! {
    /// Which identity SPF was checked for.
    SpfScope {
        /// MAIL FROM.
        Mfrom = "mfrom" | "mailfrom" | "mail-from" | "mail_from",
        /// HELO.
        Helo = "helo" | "ehlo",
    }
}

vocabulary! {
    /// Why a policy was not applied.
    ReasonType {
        /// Known to be forwarded (RFC 7489).
        Forwarded = "forwarded",
        /// Left out by `pct` (RFC 7489).
        SampledOut = "sampled_out",
        /// By a forwarder that is trusted.
        TrustedForwarder = "trusted_forwarder",
        /// A mailing list.
        MailingList = "mailing_list",
        /// The receiver's own policy.
        LocalPolicy = "local_policy",
        /// The policy was published with `t=y` (RFC 9990).
        PolicyTestMode = "policy_test_mode",
    }
}

vocabulary! {
    /// How the organizational domain was found (RFC 9990).
    DiscoveryMethod {
        /// By the public suffix list.
        Psl = "psl",
        /// By the DNS tree walk.
        Treewalk = "treewalk",
    }
}

vocabulary! {
    /// The type of a feedback report (RFC 5965, 6430, 6591, and drafts).
    FeedbackType {
        /// Spam or other unwanted mail.
        Abuse = "abuse",
        /// Fraud or phishing.
        Fraud = "fraud",
        /// A virus.
        Virus = "virus",
        /// Reported as not spam (RFC 6430): in no count, rate or alert.
        NotSpam = "not-spam",
        /// A failure report (RFC 6591).
        AuthFailure = "auth-failure",
        /// Asked to be removed.
        OptOut = "opt-out",
        /// Asked to be removed from a list.
        OptOutList = "opt-out-list",
        /// Put in the wrong category.
        Miscategorized = "miscategorized",
        /// An X-ARF report.
        Xarf = "xarf",
    }
}

vocabulary! {
    /// What failed (RFC 6591 section 3.3, RFC 9991).
    AuthFailure {
        /// Author domain signing practices.
        Adsp = "adsp",
        /// The hash of the body.
        Bodyhash = "bodyhash",
        /// A revoked key.
        Revoked = "revoked",
        /// The signature.
        Signature = "signature",
        /// SPF.
        Spf = "spf",
        /// DMARC.
        Dmarc = "dmarc",
    }
}

vocabulary! {
    /// What became of the message (RFC 6591 section 3.2.2).
    DeliveryResult {
        /// Delivered.
        Delivered = "delivered",
        /// Delivered as spam.
        Spam = "spam",
        /// Handled by a policy.
        Policy = "policy",
        /// Refused.
        Reject = "reject",
    }
}

vocabulary! {
    /// The policy that a TLS report is about (RFC 8460 section 4.4).
    TlsPolicyType {
        /// DANE.
        Tlsa = "tlsa",
        /// MTA-STS.
        Sts = "sts",
        /// None was found.
        NoPolicyFound = "no-policy-found",
    }
}

vocabulary! {
    /// What went wrong with a session (RFC 8460 section 4.3).
    TlsResultType {
        /// STARTTLS was not offered.
        StarttlsNotSupported = "starttls-not-supported",
        /// The certificate is for another host.
        CertificateHostMismatch = "certificate-host-mismatch",
        /// The certificate has expired.
        CertificateExpired = "certificate-expired",
        /// The certificate is not trusted.
        CertificateNotTrusted = "certificate-not-trusted",
        /// Any other failure of validation.
        ValidationFailure = "validation-failure",
        /// The TLSA records are no good.
        TlsaInvalid = "tlsa-invalid",
        /// DNSSEC did not validate.
        DnssecInvalid = "dnssec-invalid",
        /// DANE is required and missing.
        DaneRequired = "dane-required",
        /// The MTA-STS policy could not be fetched.
        StsPolicyFetchError = "sts-policy-fetch-error",
        /// The MTA-STS policy is no good.
        StsPolicyInvalid = "sts-policy-invalid",
        /// The web server's certificate is no good.
        StsWebpkiInvalid = "sts-webpki-invalid",
    }
}

vocabulary! {
    /// What was done about a recipient (RFC 3464 section 2.3.3).
    Action {
        /// Refused for good.
        Failed = "failed",
        /// Still trying.
        Delayed = "delayed",
        /// Delivered.
        Delivered = "delivered",
        /// Handed to a system that sends no notifications.
        Relayed = "relayed",
        /// Delivered to more addresses.
        Expanded = "expanded",
    }
}

vocabulary! {
    /// What the spam filter of Outlook.com said of the mail of a day (Microsoft SNDS).
    Colour {
        /// Less than 10 % of it was spam.
        Green = "green",
        /// 10 to 90 % of it was spam.
        Yellow = "yellow",
        /// More than 90 % of it was spam.
        Red = "red",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(word: Option<Word<T>>) -> Option<(T, bool)> {
        word.map(|word| (word.value, word.differs))
    }

    #[test]
    fn case_and_space_do_not_matter() {
        assert_eq!(
            read(SpfResult::read(" SoftFail\n")),
            Some((SpfResult::Softfail, false))
        );
        assert_eq!(
            read(FeedbackType::read("Not-Spam")),
            Some((FeedbackType::NotSpam, false))
        );
        assert_eq!(read(Policy::read(" \t")), None);
    }

    #[test]
    fn spellings_are_mapped_and_said_to_differ() {
        assert_eq!(
            read(SpfResult::read("HardFail")),
            Some((SpfResult::Fail, true))
        );
        assert_eq!(
            read(SpfResult::read("unknown")),
            Some((SpfResult::Temperror, true))
        );
        assert_eq!(
            read(SpfResult::read("error")),
            Some((SpfResult::Permerror, true))
        );
        assert_eq!(
            read(Alignment::read("relaxed")),
            Some((Alignment::Relaxed, true))
        );
    }

    #[test]
    fn unknown_words_are_other() {
        assert_eq!(
            read(ReasonType::read("weather")),
            Some((ReasonType::Other, true))
        );
        assert_eq!(
            read(ReasonType::read("Other")),
            Some((ReasonType::Other, false))
        );
    }

    #[test]
    fn words_are_written_as_they_are_read() {
        for value in ReasonType::ALL {
            assert_eq!(
                read(ReasonType::read(value.as_str())),
                Some((*value, false))
            );
        }
        for value in TlsResultType::ALL {
            assert_eq!(
                read(TlsResultType::read(value.as_str())),
                Some((*value, false))
            );
        }
        assert_eq!(
            serde_json::to_string(&ReasonType::SampledOut).unwrap(),
            "\"sampled_out\""
        );
    }
}
