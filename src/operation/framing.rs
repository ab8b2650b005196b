//! How records are written as bytes: a version, then every part behind its length.
//!
//! Binary safe, and no two records give the same bytes. Reading takes everything or nothing: a length that does not fit,
//! a text that is not UTF-8, bytes left over are all "not one of ours".

/// Writes a record.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

/// Reads a record.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(version: u8) -> Self {
        Self { bytes: vec![version] }
    }

    pub(super) fn bytes(&mut self, part: &[u8]) {
        let length = u32::try_from(part.len()).expect("nothing over 4 GiB is captured: the body limit is far below");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(part);
    }

    pub(super) fn text(&mut self, part: &str) {
        self.bytes(part.as_bytes());
    }

    pub(super) fn number(&mut self, number: i64) {
        self.bytes.extend_from_slice(&number.to_be_bytes());
    }

    pub(super) fn maybe_number(&mut self, number: Option<i64>) {
        self.count(usize::from(number.is_some()));
        if let Some(number) = number {
            self.number(number);
        }
    }

    /// How many parts follow.
    pub(super) fn count(&mut self, count: usize) {
        self.number(i64::try_from(count).expect("a count fits"));
    }

    pub(super) fn headers(&mut self, headers: &[(String, Vec<u8>)]) {
        self.count(headers.len());
        for (name, value) in headers {
            self.text(name);
            self.bytes(value);
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Nothing when the record is of another version.
    pub(super) fn new(bytes: &'a [u8], version: u8) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        (*first == version).then_some(Self { rest })
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        self.rest = rest;
        Some(part)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub(super) fn number(&mut self) -> Option<i64> {
        let (number, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(i64::from_be_bytes(*number))
    }

    /// No number, or one.
    pub(super) fn maybe_number(&mut self) -> Option<Vec<i64>> {
        let count = self.count().filter(|count| *count <= 1)?;
        (0..count).map(|_| self.number()).collect()
    }

    pub(super) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(super) fn headers(&mut self) -> Option<Vec<(String, Vec<u8>)>> {
        // The count is not believed for an allocation: reading stops where the bytes do.
        (0..self.count()?).map(|_| Some((self.text()?, self.bytes()?.to_vec()))).collect()
    }

    /// Nothing when bytes are left over.
    pub(super) fn end(self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}
