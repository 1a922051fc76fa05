//! Which cell is which: by its place where there is no header, else by its name in any spelling.

use super::Layout;

/// A column of SNDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// One address.
    Ip,
    FirstIp,
    LastIp,
    /// Begin and end in one cell.
    Period,
    Begin,
    End,
    RcptCommands,
    DataCommands,
    Recipients,
    Filter,
    ComplaintRate,
    /// Begin and end of the trap hits in one cell.
    TrapPeriod,
    TrapBegin,
    TrapEnd,
    TrapHits,
    Helo,
    MailFrom,
    Blocked,
    Details,
    Comments,
}

/// The columns of a data list without a header.
pub(super) const DATA: [Column; 14] = [
    Column::Ip,
    Column::Begin,
    Column::End,
    Column::RcptCommands,
    Column::DataCommands,
    Column::Recipients,
    Column::Filter,
    Column::ComplaintRate,
    Column::TrapBegin,
    Column::TrapEnd,
    Column::TrapHits,
    Column::Helo,
    Column::MailFrom,
    Column::Comments,
];

/// The columns of a status list without a header.
pub(super) const STATUS: [Column; 4] = [
    Column::FirstIp,
    Column::LastIp,
    Column::Blocked,
    Column::Details,
];

/// Longest name of a column, without what is neither letter nor digit, in bytes.
const MAX_NAME: usize = 40;

impl Column {
    /// The column of a name, whatever its case and whatever stands between its words.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(MAX_NAME)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        Some(match name.as_str() {
            "ip" | "ipaddress" => Self::Ip,
            "firstip" | "firstipaddress" | "beginip" | "beginipaddress" | "beginningip"
            | "beginningipaddress" | "startip" | "startipaddress" => Self::FirstIp,
            "lastip" | "lastipaddress" | "endip" | "endipaddress" | "endingip"
            | "endingipaddress" => Self::LastIp,
            "period" | "activityperiod" => Self::Period,
            "begin"
            | "activitybegin"
            | "activitystart"
            | "activitystarttime"
            | "activityperiodbegin"
            | "activityperiodstart"
            | "periodstart" => Self::Begin,
            "end" | "activityend" | "activityendtime" | "activityperiodend" | "periodend" => {
                Self::End
            }
            "rcptcommands" | "rcptcommand" => Self::RcptCommands,
            "datacommands" | "datacommand" => Self::DataCommands,
            "messagerecipients" | "recipients" => Self::Recipients,
            "filterresult" | "filterresults" | "filter" => Self::Filter,
            "complaintrate" => Self::ComplaintRate,
            "trapmessageperiod" | "trapperiod" => Self::TrapPeriod,
            "trapbegin"
            | "trapstart"
            | "trapperiodbegin"
            | "trapperiodstart"
            | "trapmessageperiodbegin"
            | "trapmessageperiodstart" => Self::TrapBegin,
            "trapend" | "trapperiodend" | "trapmessageperiodend" => Self::TrapEnd,
            "traphits" | "traphit" => Self::TrapHits,
            "helo" | "samplehelo" => Self::Helo,
            "mailfrom" | "samplemailfrom" | "jmrp1sender" | "jmrpp1sender" => Self::MailFrom,
            "blocked" | "isblocked" => Self::Blocked,
            "details" | "reason" => Self::Details,
            "comments" | "comment" => Self::Comments,
            _ => return None,
        })
    }

    /// The field, as in JSON.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Ip | Self::FirstIp => "first_ip",
            Self::LastIp => "last_ip",
            Self::Period => "period",
            Self::Begin => "begin",
            Self::End => "end",
            Self::RcptCommands => "rcpt_commands",
            Self::DataCommands => "data_commands",
            Self::Recipients => "recipients",
            Self::Filter => "filter",
            Self::ComplaintRate => "complaint_rate",
            Self::TrapPeriod => "trap_period",
            Self::TrapBegin => "trap_begin",
            Self::TrapEnd => "trap_end",
            Self::TrapHits => "trap_hits",
            Self::Helo => "helo",
            Self::MailFrom => "mail_from",
            Self::Blocked => "blocked",
            Self::Details => "details",
            Self::Comments => "comments",
        }
    }

    /// Whether no other list of addresses has it.
    const fn is_of_data(self) -> bool {
        matches!(
            self,
            Self::RcptCommands
                | Self::DataCommands
                | Self::Recipients
                | Self::Filter
                | Self::ComplaintRate
                | Self::TrapPeriod
                | Self::TrapHits
        )
    }
}

/// The list that has these columns; `None` where they are no list of SNDS. Strict: an address and a
/// reason, as many lists of bans have them, are not enough.
pub(super) fn layout(columns: impl Iterator<Item = Column>) -> Option<Layout> {
    let (mut ip, mut first, mut last, mut blocked, mut data) = (false, false, false, false, 0);
    for column in columns {
        match column {
            Column::Ip => ip = true,
            Column::FirstIp => first = true,
            Column::LastIp => last = true,
            Column::Blocked => blocked = true,
            column if column.is_of_data() => data += 1,
            _ => {}
        }
    }
    if ip && data >= 2 {
        Some(Layout::Data)
    } else if first && last && blocked {
        Some(Layout::Status)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_spelling() {
        for (name, column) in [
            ("Ip Address", Some(Column::Ip)),
            ("ipAddress", Some(Column::Ip)),
            ("IP_ADDRESS", Some(Column::Ip)),
            ("JMR P1 Sender", Some(Column::MailFrom)),
            ("Trap message period", Some(Column::TrapPeriod)),
            ("beginningIpAddress", Some(Column::FirstIp)),
            ("Score", None),
            ("", None),
            ("ü", None),
        ] {
            assert_eq!(Column::named(name), column, "{name}");
        }
    }

    #[test]
    fn which_columns_make_a_list() {
        let of = |header: &str| layout(header.split(',').filter_map(Column::named));
        assert_eq!(
            of("ipAddress,dataCommands,filterResult"),
            Some(Layout::Data)
        );
        let status = "beginningIpAddress,endingIpAddress,blocked,reason";
        assert_eq!(of(status), Some(Layout::Status));
        assert_eq!(of("ip,blocked,reason,comment"), None);
        assert_eq!(of("ip,recipients,subject"), None);
        assert_eq!(of("start ip,end ip,country"), None);
    }
}
