//! What the catalogue says of replies.

use super::*;

#[test]
fn a_block_of_outlook_has_the_form() {
    let reply = "550 5.7.1 part of their network is on our block list (S3140).";
    assert_eq!(find(reply, None).unwrap().provider, "Outlook.com");
    assert_eq!(code(reply, None).as_deref(), Some("S3140"));
}
