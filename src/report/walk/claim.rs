//! What says of itself that it is a report: if it cannot be read, it is kept.

use crate::message::Part;

/// Why a leaf counts as a report, by its media type or its name; `None` where nothing says so.
pub(super) fn of(part: &Part<'_>) -> Option<&'static str> {
    let by_type = matches!(
        part.media_type.as_str(),
        "application/tlsrpt" | "application/tlsrpt+gzip" | "application/tlsrpt+json"
    );
    if by_type {
        return Some("its media type is that of a TLS report");
    }
    part.name.as_deref().and_then(by_name)
}

/// The same by a file name, or a path: `receiver!domain!begin!end[!id].ext` (RFC 7489 section
/// 7.2.1.1, RFC 8460 section 5.1). Real names go on after the period's end in many ways.
pub(super) fn by_name(name: &str) -> Option<&'static str> {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name).trim();
    let mut pieces = base.split('!').skip(1);
    let (domain, begin, end) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let digits = end.bytes().take_while(u8::is_ascii_digit).count();
    let after = end.get(digits..)?;
    let goes_on = after.starts_with('.') || (after.is_empty() && pieces.next().is_some());
    let fits = domain.contains('.')
        && !begin.is_empty()
        && begin.bytes().all(|b| b.is_ascii_digit())
        && digits > 0
        && goes_on;
    let base = base.to_ascii_lowercase();
    let known = [".xml", ".json", ".gz", ".zip"]
        .iter()
        .any(|extension| base.ends_with(extension));
    (fits && known).then_some("its name is that of a report")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_reports() {
        for name in [
            "mail.example.org!example.com!1536105600!1536191999.xml",
            "dir/isp.example!example.com!1!2!id.XML.GZ",
            "!example.com!1538204542!1538463818.xml.zip",
            "isp.example!example.com!1013662812!1013749130.json",
            "isp.example!example.com!1725321600!1725407999!001.json.gz",
            "isp.example!example.com!1536105600!1536191999.4711.xml",
        ] {
            assert!(by_name(name).is_some(), "{name}");
        }
        for name in [
            "report.xml",
            "a!b!c!d.xml",
            "isp.example!example.com!1!2.pdf",
            "isp.example!example.com!1!2",
            "isp.example!example.com!1!x2.xml",
            "isp.example!nodot!1!2.xml",
            "Hello! World! 1! 2.zip",
            "",
        ] {
            assert!(by_name(name).is_none(), "{name}");
        }
    }
}
