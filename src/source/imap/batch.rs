//! Batches of mails that are bounded in bytes and in number.

use super::Mail;

/// Most that the mails of a batch announce together, in bytes.
const BYTES: u64 = 8 << 20;
/// Most mails of a batch.
const MAILS: usize = 500;

/// Splits mails into batches of at most 8 MiB (as announced) and 500 mails; one that is larger than
/// that stands alone.
pub fn batches(mails: &[Mail]) -> impl Iterator<Item = &[Mail]> {
    let mut rest = mails;
    std::iter::from_fn(move || {
        let (batch, later) = rest.split_at_checked(length(rest))?;
        rest = later;
        Some(batch)
    })
}

/// How many of these mails make a batch; at least one.
fn length(mails: &[Mail]) -> usize {
    let mut bytes = 0_u64;
    let fits = mails.iter().take(MAILS).take_while(|mail| {
        bytes = bytes.saturating_add(mail.size);
        bytes <= BYTES
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(sizes: &[u64]) -> Vec<usize> {
        let mails: Vec<Mail> = (1..)
            .zip(sizes)
            .map(|(uid, size)| Mail { uid, size: *size })
            .collect();
        let split: Vec<&[Mail]> = batches(&mails).collect();
        assert_eq!(
            split.concat(),
            mails,
            "every mail is in one batch, in order"
        );
        split.into_iter().map(<[Mail]>::len).collect()
    }

    #[test]
    fn a_batch_ends_before_its_bytes_or_its_mails_are_too_many() {
        assert!(lengths(&[]).is_empty());
        assert_eq!(lengths(&[0]), [1]);
        assert_eq!(lengths(&[BYTES / 2, BYTES / 2, 1]), [2, 1]);
        assert_eq!(lengths(&[1; 2 * MAILS + 1]), [MAILS, MAILS, 1]);
    }

    #[test]
    fn a_mail_that_is_larger_than_a_batch_stands_alone() {
        assert_eq!(lengths(&[1, BYTES + 1, 1, 1]), [1, 1, 2]);
        assert_eq!(lengths(&[u64::MAX, u64::MAX, 1]), [1, 1, 1]);
    }
}
