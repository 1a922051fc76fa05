//! The same rows in every layout, and what is no list of SNDS.

use proptest::prelude::*;

use super::*;

const DATA: &str = "192.0.2.10,9/11/2026 8:00 AM,9/12/2026 8:00 AM,422,409,422,GREEN,< 0.1%,,,,,@example.com,\r\n\
    198.51.100.7,9/11/2026 8:00 AM,9/12/2026 8:00 AM,1200,1100,1300,YELLOW,0.4%,9/11/2026 8:00 AM,\
    9/12/2026 8:00 AM,3,,sender@example.com,\"quoted, with a comma\"\r\n";
const STATUS: &str = "1.1.1.0,1.1.1.1,Yes,Blocked due to user complaints or other evidence of spamming\r\n\
    1.1.1.3,1.1.1.3,No,Junked due to user complaints or other evidence of spamming\r\n";

fn list(text: &str) -> (Snds, Vec<String>) {
    let (body, problems) = read(text.as_bytes(), 1_000);
    let places = problems.iter().map(|p| format!("{}: {}", p.place, p.what));
    match body {
        Body::Snds { snds, .. } => (snds, places.collect()),
        other => panic!("{other:?}: {text}"),
    }
}

/// The rows without the texts that they were read from.
fn rows(text: &str) -> Vec<Row> {
    let (snds, problems) = list(text);
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    let without = |row: Row| Row {
        raw: Raw::new(),
        ..row
    };
    snds.rows.into_iter().map(without).collect()
}

/// The rows of [`DATA`] under these names; where a period is one cell, both ends are in it.
fn named(order: &[usize], quote: impl Fn(&str) -> String) -> (Vec<&'static str>, Vec<Vec<String>>) {
    const NAMES: [&str; 11] = [
        "Ip Address",
        "Activity period",
        "RCPT commands",
        "DATA commands",
        "Message recipients",
        "Filter result",
        "Complaint rate",
        "Trap message period",
        "Trap hits",
        "JMR P1 Sender",
        "Comments",
    ];
    let rows = [
        [
            "192.0.2.10",
            "9/11/2026 8:00 AM - 9/12/2026 8:00 AM",
            "422",
            "409",
            "422",
            "GREEN",
            "< 0.1%",
            "",
            "",
            "@example.com",
            "",
        ],
        [
            "198.51.100.7",
            "9/11/2026 8:00 AM - 9/12/2026 8:00 AM",
            "1200",
            "1100",
            "1300",
            "YELLOW",
            "0.4%",
            "9/11/2026 8:00 AM - 9/12/2026 8:00 AM",
            "3",
            "sender@example.com",
            "quoted, with a comma",
        ],
    ];
    let row = |row: &[&str; 11]| order.iter().map(|at| quote(row[*at])).collect();
    (
        order.iter().map(|at| NAMES[*at]).collect(),
        rows.iter().map(row).collect(),
    )
}

fn header_csv(order: &[usize]) -> String {
    let (names, rows) = named(order, |cell| format!("\"{cell}\""));
    let lines = rows.iter().map(|row| row.join(","));
    std::iter::once(names.join(","))
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\r\n")
}

fn json_rows(order: &[usize]) -> String {
    let (names, rows) = named(order, str::to_owned);
    let objects: Vec<serde_json::Value> = rows
        .into_iter()
        .map(|row| {
            names
                .iter()
                .zip(row)
                .collect::<std::collections::BTreeMap<_, _>>()
        })
        .map(|row| serde_json::to_value(row).unwrap())
        .collect();
    serde_json::Value::from(objects).to_string()
}

const ORDER: [usize; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

#[test]
fn the_same_data_in_every_layout() {
    let expected = rows(DATA);
    assert_eq!(expected.len(), 2);
    assert_eq!(expected[0].complaint_rate, Some(1_000));
    assert!(expected[0].complaint_rate_below && !expected[1].complaint_rate_below);
    assert_eq!(
        expected[1].comments.as_deref(),
        Some("quoted, with a comma")
    );
    assert_eq!(expected[0].trap_hits, None);
    assert_eq!(expected[1].trap_hits, Some(3));
    assert_eq!(rows(&DATA.replace("\r\n", "\n")), expected);
    assert_eq!(rows(&format!("\u{feff}{DATA}")), expected);
    assert_eq!(rows(DATA.trim_end()), expected);
    assert_eq!(rows(&header_csv(&ORDER)), expected);
    let json = json_rows(&ORDER);
    assert_eq!(rows(&json), expected);
    for wrapper in ["value", "items", "Data", "results"] {
        let wrapped = format!("{{\"@odata.context\":\"x\",\"{wrapper}\":{json},\"count\":2}}");
        assert_eq!(rows(&wrapped), expected, "{wrapper}");
    }
    let twice = format!("{{\"data\":{{\"items\":{json}}}}}");
    assert_eq!(rows(&twice), expected);
}

#[test]
fn the_same_status_in_every_layout() {
    let expected = rows(STATUS);
    assert_eq!(expected[0].last_ip.to_string(), "1.1.1.1");
    let states: Vec<_> = expected.iter().map(Row::state).collect();
    assert_eq!(states, [State::Blocked, State::Junked]);
    for (yes, no) in [("True", "False"), ("true", "false"), ("YES", "no")] {
        let other = STATUS.replace(",Yes,", &format!(",{yes},"));
        assert_eq!(rows(&other.replace(",No,", &format!(",{no},"))), expected);
    }
    let header = "ending ip address,BLOCKED,Beginning Ip Address,Reason\n\
        1.1.1.1,Yes,1.1.1.0,Blocked due to user complaints or other evidence of spamming\n\
        1.1.1.3,No,1.1.1.3,Junked due to user complaints or other evidence of spamming\n";
    assert_eq!(rows(header), expected);
    let json = r#"[{"beginningIpAddress":"1.1.1.0","endingIpAddress":"1.1.1.1","blocked":true,
        "reason":"Blocked due to user complaints or other evidence of spamming","x":{"y":[1]}},
        {"beginningIpAddress":"1.1.1.3","endingIpAddress":"1.1.1.3","blocked":false,
        "reason":"Junked due to user complaints or other evidence of spamming"}]"#;
    assert_eq!(rows(json), expected);
}

#[test]
fn an_object_may_have_a_period_as_an_object() {
    let json = r#"{"ipAddress":"192.0.2.1","dataCommands":5,"filterResult":"Red",
        "activityPeriod":{"start":"2026-09-11T08:00:00Z","end":"2026-09-12T08:00:00Z"}}"#;
    let rows = rows(json);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        rows[0].end.unwrap().to_rfc3339(),
        "2026-09-12T08:00:00+00:00"
    );
}

#[test]
fn the_row_is_kept_as_it_was_sent() {
    let (snds, _) = list(&format!(
        "{}\r\n",
        header_csv(&ORDER).replace("Comments", "Score")
    ));
    assert_eq!(snds.rows[1].raw["Score"], "quoted, with a comma");
    assert_eq!(snds.rows[1].raw["complaint_rate"], "0.4%");
    assert_eq!(snds.rows[0].comments, None);
    assert_eq!(list(DATA).0.rows[0].raw["begin"], "9/11/2026 8:00 AM");
}

#[test]
fn a_row_that_cannot_be_read_costs_itself_alone() {
    let text = format!(
        "{DATA}x.y,9/11/2026 8:00 AM,9/12/2026 8:00 AM,1,1,1,GREEN,,,,,,,\n\
         192.0.2.1,never,9/12/2026 8:00 AM,1,1,1,GREEN,,,,,,,\n\
         192.0.2.1,9/11/2026 8:00 AM\n\
         192.0.2.2,9/11/2026 8:00 AM,9/12/2026 8:00 AM,many,1,1,GREEN,?,,,,,,\n"
    );
    let (snds, problems) = list(&text);
    assert_eq!(snds.rows.len(), 3);
    assert_eq!(snds.rows[2].rcpt_commands, None);
    assert_eq!(
        problems,
        [
            "line 3, column 1 (first_ip): an address was expected, found \"x.y\"; the row is skipped",
            "line 4, column 2 (begin): a time was expected, found \"never\"; the row is skipped",
            "line 5: 14 columns were expected, found 2; the row is skipped",
            "line 6, column 4 (rcpt_commands): a number was expected, found \"many\"",
            "line 6, column 8 (complaint_rate): a rate in percent was expected, found \"?\"",
        ]
    );
    let (snds, problems) = list("1.1.1.9,1.1.1.0,Yes,x\n1.1.1.0,1.1.1.9,Yes,a, b and c\n");
    assert_eq!(snds.rows[0].details.as_deref(), Some("a, b and c"));
    assert_eq!(
        problems,
        ["line 1: a range from 1.1.1.9 to 1.1.1.0; the row is skipped"]
    );
    let (_, problems) =
        list(r#"[{"beginningIpAddress":"?","endingIpAddress":"1.1.1.1","blocked":true}]"#);
    assert_eq!(
        problems,
        ["row 1, first_ip: an address was expected, found \"?\"; the row is skipped"]
    );
}

#[test]
fn what_a_body_is() {
    let body = |text: &str| read(text.as_bytes(), 1_000).0;
    for text in ["", "\r\n", "\u{feff}", "[]", "{\"value\":[]}"] {
        assert_eq!(body(text), Body::Empty, "{text:?}");
    }
    assert_eq!(body(" <!DOCTYPE html><title>Sign in"), Body::Html);
    for text in [
        "ip,blocked,reason\n192.0.2.1,yes,spam\n",
        "192.0.2.1,80,GET,/\n",
        "192.0.2.1,192.0.2.9,Example Ltd,DE\n",
        "a,b,c,d,e,f,g,h,i,j,k,l,m,n\n",
        "Error: no such key",
        "{\"error\":{\"code\":\"401\"}}",
        "[1,2,3]",
        "[{\"ip\":\"192.0.2.1\",\"blocked\":true,\"reason\":\"x\"}]",
        "{",
    ] {
        assert!(
            matches!(body(text), Body::Other(_)),
            "{text}: {:?}",
            body(text)
        );
    }
}

#[test]
fn a_list_that_is_cut_off_gives_what_stood_before() {
    let json = json_rows(&ORDER);
    let cut = json.trim_end_matches(|c| c != ',');
    let (body, problems) = read(cut.as_bytes(), 1_000);
    let Body::Snds { snds, complete } = body else {
        panic!("{body:?}")
    };
    assert_eq!((snds.rows.len(), complete, problems.len()), (1, false, 1));
    let (body, _) = read(DATA.as_bytes(), 1);
    let Body::Snds { snds, complete } = body else {
        panic!("{body:?}")
    };
    assert_eq!((snds.rows.len(), complete), (1, false));
}

#[test]
fn long_cells_are_cut() {
    let text = format!("1.1.1.0,1.1.1.1,Yes,{}\n", "\u{e9}".repeat(5_000));
    let (snds, problems) = list(&text);
    assert_eq!(snds.rows[0].details.as_ref().unwrap().len(), 1_024);
    assert_eq!(problems.len(), 1);
}

#[test]
fn a_state_is_never_guessed() {
    for (blocked, details, state) in [
        (
            Some(true),
            Some("Blocked due to user complaints"),
            State::Blocked,
        ),
        (Some(true), None, State::Blocked),
        (Some(true), Some("Bot"), State::Blocked),
        (
            Some(false),
            Some("Junked due to user complaints"),
            State::Junked,
        ),
        (Some(false), Some("Bot"), State::Bot),
        (
            Some(false),
            Some("E-mail address harvesting"),
            State::Unknown,
        ),
        (Some(false), Some("Blocked, or not"), State::Unknown),
        (Some(false), None, State::Normal),
        (None, Some("blocked"), State::Blocked),
        (None, None, State::Unknown),
    ] {
        assert_eq!(
            State::of(blocked, details),
            state,
            "{blocked:?} {details:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, 10);
    }

    #[test]
    fn damaged_lists_are_answered(
        which in 0..4_usize,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = [DATA.to_owned(), STATUS.to_owned(), header_csv(&ORDER), json_rows(&ORDER)]
            [which].clone().into_bytes();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let whole = read(&bytes, 10);
        if let Body::Snds { snds, .. } = whole.0 {
            prop_assert!(snds.rows.len() <= 2);
        }
        let _ = read(&bytes[..cut.index(bytes.len())], 10);
    }

    #[test]
    fn the_order_of_columns_does_not_matter(order in Just(ORDER.to_vec()).prop_shuffle()) {
        let expected = rows(DATA);
        prop_assert_eq!(rows(&header_csv(&order)), expected.clone());
        prop_assert_eq!(rows(&json_rows(&order)), expected);
    }
}
