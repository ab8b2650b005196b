//! Writing gathered into few system calls, by a buffer that exists only while something is in it: most connections are
//! idle, and each would hold one for nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Gathers what is written, until it is flushed or the buffer is full.
#[derive(Debug)]
pub(super) struct Buffered<T> {
    inner: T,
    gathered: Vec<u8>,
    /// How much of it is written already.
    written: usize,
}

/// Bytes gathered at most. Larger pieces are written as they are.
const SIZE: usize = 4096;

// === impl Buffered ===

impl<T: AsyncWrite + Unpin> Buffered<T> {
    pub fn new(inner: T) -> Self {
        Self { inner, gathered: Vec::new(), written: 0 }
    }

    /// What is written to.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// Writes what was gathered, and gives the buffer back.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.gathered.len() {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, &self.gathered[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => self.written += more,
            }
        }
        self.gathered = Vec::new();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Buffered<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Buffered<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.gathered.len() + buf.len() > SIZE {
            ready!(this.poll_empty(cx))?;
        }
        if buf.len() >= SIZE {
            return Pin::new(&mut this.inner).poll_write(cx, buf);
        }
        if this.gathered.capacity() == 0 {
            this.gathered.reserve_exact(SIZE);
        }
        this.gathered.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_empty(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_empty(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn everything_arrives_in_order_whatever_its_pieces_and_however_little_is_taken_at_once() {
        let (near, mut far) = duplex(100);
        let pieces: Vec<Vec<u8>> = [1, 4095, 1, 4096, 3000, 3000, 10_000, 0, 7]
            .iter()
            .enumerate()
            .map(|(number, length)| vec![u8::try_from(number).unwrap(); *length])
            .collect();
        let sent = pieces.concat();
        let writing = tokio::spawn(async move {
            let mut writer = Buffered::new(near);
            for piece in &pieces {
                writer.write_all(piece).await.unwrap();
            }
            writer.shutdown().await.unwrap();
        });
        let mut arrived = Vec::new();
        far.read_to_end(&mut arrived).await.unwrap();
        writing.await.unwrap();
        assert!(arrived == sent);
    }

    #[tokio::test]
    async fn small_pieces_leave_together_and_an_empty_buffer_takes_no_memory() {
        let (near, mut far) = duplex(64);
        let mut writer = Buffered::new(near);
        writer.write_all(b"head ").await.unwrap();
        writer.write_all(b"body").await.unwrap();
        assert_eq!(writer.gathered, b"head body");
        writer.flush().await.unwrap();
        assert_eq!(writer.gathered.capacity(), 0);
        let mut arrived = [0; 9];
        far.read_exact(&mut arrived).await.unwrap();
        assert_eq!(&arrived, b"head body");
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_is_an_error() {
        let (near, far) = duplex(64);
        drop(far);
        let mut writer = Buffered::new(near);
        writer.write_all(b"kept for now").await.unwrap();
        assert_eq!(writer.flush().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
