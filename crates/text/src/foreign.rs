//! Formats that are not read, told by their first bytes.

/// The mark with which UTF-8 may start.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const GZIP: &str = "it is compressed by gzip; unpack it first (gunzip)";
const ZIP: &str = "it is a zip archive, as .npz and .pt files are too; unpack it first (unzip)";
const UTF_16: &str = "it is UTF-16; UTF-8 is read (iconv -f UTF-16 -t UTF-8)";
const UTF_32: &str = "it is UTF-32; UTF-8 is read (iconv -f UTF-32 -t UTF-8)";
const PICKLE: &str = "it is a Python pickle (gensim's and PyTorch's native format), which is not read; in Python save vectors with \
     save_word2vec_format, models with safetensors";
const NUMPY: &str = "it is a numpy array, which has numbers and no words; in Python save the words and their rows with \
     save_word2vec_format";

/// What is said of a byte 0 in text.
pub(crate) const ZERO_BYTE: &str =
    "a zero byte: text has none, UTF-16 has them (iconv -f UTF-16LE -t UTF-8)";
/// What is said of a text that has no line end but CR.
pub(crate) const CR_ALONE: &str =
    "its lines end with CR alone; LF or CRLF ends a line (tr '\\r' '\\n')";

/// First bytes that no text has, and what they say. UTF-32 comes before UTF-16, whose mark it starts with.
const SIGNATURES: [(&[u8], &str); 16] = [
    (b"\x1f\x8b", GZIP),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (
        b"\xfd7zXZ\0",
        "it is compressed by xz; unpack it first (unxz)",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "it is compressed by zstd; unpack it first (unzstd)",
    ),
    (b"\xff\xfe\0\0", UTF_32),
    (b"\0\0\xfe\xff", UTF_32),
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"\x93NUMPY", NUMPY),
    (
        b"\x89HDF\r\n\x1a\n",
        "it is an HDF5 file, which is not read",
    ),
    (b"PAR1\x15", "it is a Parquet file, which is not read"),
];

/// What a file that starts with these bytes is, and the way on, if it is of a kind that is told by them and not read.
pub(crate) fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let signature = SIGNATURES
        .iter()
        .find(|(first, _)| bytes.starts_with(first));
    if let Some((_, kind)) = signature {
        return Some(kind);
    }
    if bytes.starts_with(b"BZh") && bytes.get(4..10) == Some(b"1AY&SY") {
        return Some("it is compressed by bzip2; unpack it first (bunzip2)");
    }
    // The length of the header in eight bytes, of which real ones leave the last four zero; then the header, a JSON object.
    let is_safetensors = bytes.get(4..10) == Some(b"\0\0\0\0{\"");
    is_safetensors
        .then_some("it is a safetensors file, which holds tensors by name; a state dict loads it")
}
