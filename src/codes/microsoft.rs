use super::entry::{Category, Entry, Said, Waiting};

pub(super) const ENTRIES: &[Entry] = &[Entry {
    name: "S3140",
    provider: "Outlook.com",
    category: Category::Block,
    meaning: "the sending address, or the network around it, is on the block list of Outlook.com",
    waiting: Waiting::Unknown("Microsoft publishes no term"),
    next: "ask for delisting with the form",
    form: Some("http://go.microsoft.com/fwlink/?LinkID=614866"),
    source: "formats seen in bounces",
    said: &[Said::Code(&["S3140", "S3150"])],
}];
