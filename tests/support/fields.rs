//! The fields of an HTTP/1.1 message, as written.

/// Names as written, in order, with their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<(String, String)>);

// === impl Fields ===

impl Fields {
    /// A message's first line, and its fields.
    pub fn read(head: &[u8]) -> (String, Self) {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.trim_end().split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let fields = lines.filter_map(|line| line.split_once(':'));
        (first, Self(fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()))
    }

    /// The first one called `name`, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Every one called `name`, in whatever case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let own = self.0.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.as_str()).collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }
}
