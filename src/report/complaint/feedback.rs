//! The report part of ARF: the fields of message/feedback-report (RFC 5965 section 3).
