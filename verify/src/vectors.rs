//! Test vectors as text files, read the way they are printed in their publications.
//!
//! ```text
//! # Where the vectors come from.
//! algorithm = cbc(aes)
//!
//! [F.2.1]
//! key = 2b7e1516...
//! iv = 00010203...
//! unit = 32            (bytes of a data unit; default: the whole input)
//! step = le64          (how the IV steps; default: none)
//! input = 6bc1bee2...
//!   ae2d8a57...        (indented lines go on)
//! output = 7649abac...
//! ```

use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX, KnownAnswer};
use kgpu_core::request::Shape;

use crate::Failure;

/// One test vector.
#[derive(Clone, Debug)]
pub struct Vector {
    /// Its name in its publication.
    pub name: String,
    /// The algorithm's name.
    pub algorithm: String,
    /// Key.
    pub key: Vec<u8>,
    /// IV of the first data unit, zero-padded.
    pub iv: [u8; IV_BYTES_MAX],
    /// How the IV steps.
    pub step: IvStep,
    /// Bytes of a data unit, 0 for all of the input.
    pub unit: u32,
    /// Plaintext, or a service's input.
    pub input: Vec<u8>,
    /// Ciphertext, or a service's output.
    pub output: Vec<u8>,
}

impl Vector {
    /// A vector without data.
    fn new(name: &str, algorithm: &str) -> Self {
        Self {
            name: name.into(),
            algorithm: algorithm.into(),
            key: Vec::new(),
            iv: [0; IV_BYTES_MAX],
            step: IvStep::None,
            unit: 0,
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// The request that computes `output`.
    ///
    /// # Errors
    /// [`Failure::Impossible`] when the input is too long for a request.
    pub fn shape(&self, op: Op) -> Result<Shape, Failure> {
        let len = u32::try_from(self.input.len())
            .map_err(|_| Failure::Impossible(format!("{}: input too long", self.name)))?;
        Ok(Shape {
            op,
            len,
            data_unit_size: if self.unit == 0 { len } else { self.unit },
            iv: self.iv,
            iv_step: self.step,
        })
    }

    /// Sets what a line says.
    fn set(&mut self, field: &str, value: &str) -> Result<(), String> {
        match field {
            "key" => self.key = hex(value)?,
            "input" => self.input = hex(value)?,
            "output" => self.output = hex(value)?,
            "unit" => self.unit = value.parse().map_err(|e| format!("unit: {e}"))?,
            "iv" => {
                let iv = hex(value)?;
                let room = self.iv.get_mut(..iv.len()).ok_or("the IV is too long")?;
                room.copy_from_slice(&iv);
            }
            "step" => {
                let step = IvStep::ALL.iter().find(|step| step.label() == value);
                self.step = *step.ok_or_else(|| format!("no IV step is called {value}"))?;
            }
            _ => return Err(format!("unknown field {field}")),
        }
        Ok(())
    }
}

impl Vector {
    /// A descriptor's known answer as a vector.
    #[must_use]
    pub fn of(algorithm: &Algorithm, answer: &KnownAnswer) -> Self {
        Self {
            name: answer.source.into(),
            algorithm: algorithm.name.into(),
            key: answer.key.to_vec(),
            iv: answer.iv,
            step: answer.iv_step,
            unit: answer.data_unit_size,
            input: answer.input.to_vec(),
            output: answer.output.to_vec(),
        }
    }
}

/// Decodes hexadecimal digits.
fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |c: char| {
        let value = c.to_digit(16).and_then(|value| u8::try_from(value).ok());
        value.ok_or_else(|| format!("{c:?} is not a hexadecimal digit"))
    };
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(digit)
        .collect::<Result<_, _>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if rest.is_empty() {
        Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
    } else {
        Err("half a byte is left".into())
    }
}

/// Joins indented lines to the one before; drops comments and empty lines. With line numbers.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, last)) if line.starts_with(' ') => last.push_str(content),
            _ => lines.push((number, content.into())),
        }
    }
    lines
}

/// Reads a vector file.
///
/// # Errors
/// [`Failure::File`] with the line that makes no sense.
pub fn parse(text: &str) -> Result<Vec<Vector>, Failure> {
    let mut algorithm = String::new();
    let mut vectors: Vec<Vector> = Vec::new();
    for (line, content) in logical_lines(text) {
        let file = |why: String| Failure::File { line, why };
        let section = content.strip_prefix('[').and_then(|s| s.strip_suffix(']'));
        if let Some(name) = section {
            vectors.push(Vector::new(name, &algorithm));
            continue;
        }
        let (field, value) = content
            .split_once('=')
            .ok_or_else(|| file("neither [name] nor field = value".into()))?;
        let (field, value) = (field.trim(), value.trim());
        match vectors.last_mut() {
            None if field == "algorithm" => algorithm = value.into(),
            None => return Err(file("a field before the first [name]".into())),
            Some(vector) => vector.set(field, value).map_err(file)?,
        }
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_fields() {
        let text = "# x\nalgorithm = a(b)\n[one]\nkey = 00 ff\niv=01\nstep = be64\nunit = 2\n\
                    input = 0102\n  0304\noutput =\n[two]\n";
        let vectors = parse(text).unwrap();
        assert_eq!(vectors.len(), 2);
        let one = &vectors[0];
        assert_eq!((one.name.as_str(), one.algorithm.as_str()), ("one", "a(b)"));
        assert_eq!((one.key.as_slice(), one.iv[0]), (&[0, 255][..], 1));
        assert_eq!((one.step, one.unit), (IvStep::Be64, 2));
        assert_eq!(one.input, [1, 2, 3, 4]);
        assert!(one.output.is_empty());
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        for (text, wrong) in [
            ("nonsense", 1),
            ("\nkey = 00", 2),
            ("[a]\nkey = 0", 2),
            ("[a]\n\nkey = zz", 3),
            ("[a]\nstep = sideways", 2),
            ("[a]\ncolour = 00", 2),
        ] {
            match parse(text) {
                Err(Failure::File { line, .. }) => assert_eq!(line, wrong, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
