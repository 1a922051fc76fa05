//! Fields that the report does not say itself, taken from the headers of the reported message.
