use std::io::ErrorKind;
use std::path::Path;

use countersign::{Error, Secret};

use crate::config::{ReadError, read_file};

/// The largest file that a profile may need, in bytes.
const LIMIT: u64 = 1 << 20;

/// What a file holds; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Secret<Vec<u8>>>, Error> {
    match read_file(path, LIMIT) {
        Ok((bytes, _)) => Ok(Some(Secret::new(bytes))),
        Err(ReadError::Io(error))
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(Error::config(error.message(path, LIMIT))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_no_error_and_one_that_cannot_be_read_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&folder.path().join("none")).unwrap().is_none());
        assert!(read(folder.path()).unwrap_err().message().contains("not a regular file"));
        let file = folder.path().join("some");
        std::fs::write(&file, "canary").unwrap();
        assert_eq!(read(&file).unwrap().unwrap().expose(), b"canary");
        std::fs::File::create(&file).unwrap().set_len(LIMIT + 1).unwrap();
        assert!(read(&file).unwrap_err().message().contains("larger than 1024 KiB"));
    }
}
