//! Reads mails with mail-auth and prints the counts: `read-with-mail-auth PATH...`.

use std::env;
use std::io;
use std::path::PathBuf;

use postwatch_baseline::reader;

fn main() -> io::Result<()> {
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    println!("{}", serde_json::to_string(&reader::read(&paths)?)?);
    Ok(())
}
