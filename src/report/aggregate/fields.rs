//! The elements of an aggregate report and the normal form of their text.
