//! The suites: what a backend's output is compared with, and what each of them says is right.

use std::fmt;

use kgpu_core::algorithm::{Algorithm, Mode};
use kgpu_core::cpu::{Data, Work};
use kgpu_peers::{Peer, PeerError, PeerKey};

use crate::request::Request;
use crate::{Failure, reference};

/// What outputs are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Suite {
    /// The published vectors and the descriptors' known answers.
    Vectors,
    /// The modes from their standards, block by block.
    Reference,
    /// kgpu's own CPU path (RustCrypto under our modes).
    CpuPath,
    /// libgcrypt.
    Libgcrypt,
    /// OpenSSL.
    OpenSsl,
}

impl Suite {
    /// All of them, as tables show them.
    pub const ALL: [Self; 5] = [
        Self::Vectors,
        Self::Reference,
        Self::CpuPath,
        Self::Libgcrypt,
        Self::OpenSsl,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Vectors => "vectors",
            Self::Reference => "reference",
            Self::CpuPath => "cpu path",
            Self::Libgcrypt => "libgcrypt",
            Self::OpenSsl => "OpenSSL",
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// What a suite says about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The output must be this.
    Bytes(Vec<u8>),
    /// The output must be what the suite at this index of the same list says.
    SameAs(usize),
    /// The suite failed; why, in words.
    Broken(String),
}

/// Knows the right answers.
#[derive(Debug)]
pub struct Oracle {
    all: Vec<&'static Algorithm>,
    /// Whether the CPU path is a suite. For the backend that runs it, it is one only where there is
    /// no reference.
    cpu_path: bool,
    peers: Vec<(Suite, &'static dyn Peer)>,
    notes: Vec<String>,
}

impl Oracle {
    /// An oracle over all algorithms there are (each cipher's ECB is needed for its reference).
    /// `cpu_path`: whether the CPU path is something else than the backend under test.
    #[must_use]
    pub fn new(all: &[&'static Algorithm], cpu_path: bool) -> Self {
        let mut peers = Vec::new();
        let mut notes = Vec::new();
        let found = [
            (Suite::Libgcrypt, kgpu_peers::gcrypt()),
            (Suite::OpenSsl, kgpu_peers::openssl()),
        ];
        for (suite, peer) in found {
            match peer {
                Ok(peer) => {
                    let lacks = peer.lacks().map(|lacks| format!("; {lacks}"));
                    let version = peer.version();
                    notes.push(format!("{suite} {version}{}", lacks.unwrap_or_default()));
                    peers.push((suite, peer));
                }
                Err(error) => notes.push(format!("not compared with {suite}: {error}")),
            }
        }
        Self {
            all: all.to_vec(),
            cpu_path,
            peers,
            notes,
        }
    }

    /// The libraries' versions, and what is missing.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What every suite that knows the algorithm and key says about a request. At least one does.
    #[must_use]
    pub fn answers(&self, request: &Request) -> Vec<(Suite, Answer)> {
        let mut answers = Vec::new();
        let ecb = reference::ecb_of(request.algorithm, &self.all)
            .filter(|_| request.algorithm.mode != Mode::Digest);
        if self.cpu_path || ecb.is_none() {
            add(&mut answers, Suite::CpuPath, cpu_path(request));
        }
        if let Some(ecb) = ecb {
            let Request {
                algorithm,
                key,
                shape,
                input,
                ..
            } = request;
            let answer = reference::compute(algorithm, ecb, key, shape, input);
            add(&mut answers, Suite::Reference, answer);
        }
        for (suite, peer) in &self.peers {
            if peer.offers(request.algorithm, request.key.len()) {
                match peer_answer(*peer, request) {
                    // Keys that a library does not take are not compared with it.
                    Err(PeerError::Refused { .. }) => {}
                    answer => add(&mut answers, *suite, answer),
                }
            }
        }
        answers
    }
}

/// Adds an answer; one that was given before only by its place.
fn add<E: fmt::Display>(
    answers: &mut Vec<(Suite, Answer)>,
    suite: Suite,
    answer: Result<Vec<u8>, E>,
) {
    let answer = match answer {
        Ok(bytes) => {
            let known = answers.iter().position(|(_, given)| match given {
                Answer::Bytes(given) => *given == bytes,
                _ => false,
            });
            known.map_or(Answer::Bytes(bytes), Answer::SameAs)
        }
        Err(error) => Answer::Broken(error.to_string()),
    };
    answers.push((suite, answer));
}

/// The CPU path's answer: the whole request in one piece, without tiles.
fn cpu_path(request: &Request) -> Result<Vec<u8>, Failure> {
    let shape = &request.shape;
    let key = (request.algorithm.cpu)(&request.key)?;
    let work = Work {
        op: shape.op,
        data_unit_size: shape.data_unit_size,
        iv_step: shape.iv_step,
        iv: shape.iv,
        first_block: 0,
    };
    let mut output = vec![0; request.output_len()];
    let data = Data::Apart {
        src: &request.input,
        dst: &mut output,
    };
    key.run(&work, data)?;
    Ok(output)
}

/// A library's answer, unit by unit, with IVs that were counted up byte by byte.
fn peer_answer(peer: &dyn Peer, request: &Request) -> Result<Vec<u8>, PeerError> {
    let (algorithm, shape) = (request.algorithm, &request.shape);
    let mut key: Box<dyn PeerKey> = peer.open(algorithm, &request.key, shape.op)?;
    let size = algorithm.iv_size();
    let unit = kgpu_core::num::index(u64::from(shape.data_unit_size));
    let mut data = request.input.clone();
    let ivs = reference::ivs(&shape.iv, size, shape.iv_step);
    for (iv, data) in ivs.zip(data.chunks_mut(unit)) {
        key.unit(iv.get(..size).unwrap_or_default(), data)?;
    }
    Ok(data)
}
