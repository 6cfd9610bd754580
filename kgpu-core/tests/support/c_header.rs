//! Writes the C header of the ABI from the definition in Rust. Used by the example that prints it
//! and by the test that compares the committed one.

use std::fmt::Write as _;

use kgpu_core::abi::{self, Field, Reflect};

use crate::support::{HEADER_COMMAND, flags, session_states};

/// `HelperWords` as a C programmer would write it: `helper_words`.
fn snake(camel: &str) -> String {
    let mut out = String::new();
    for (i, c) in camel.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// A label as part of a C constant: `stale key` becomes `STALE_KEY`.
fn shout(label: &str) -> String {
    label.replace([' ', '-'], "_").to_ascii_uppercase()
}

/// A field's C declaration, or `None` when its type is none that may lie in the ABI.
fn declaration(field: &Field) -> Option<String> {
    let (element, array) = match field.ty.strip_prefix('[') {
        Some(rest) => (rest.split(';').next()?.trim(), true),
        None => (field.ty, false),
    };
    let (ty, size) = match element {
        "u8" => ("__u8", 1),
        "u16" => ("__u16", 2),
        "u32" => ("__u32", 4),
        "u64" => ("__u64", 8),
        "PageRun" => ("struct kgpu_page_run", abi::guest::PageRun::SIZE),
        _ => return None,
    };
    // The count comes from the size: the length may be written as the name of a constant.
    Some(if array {
        format!("{ty} {}[{}]", field.name, field.size / size)
    } else {
        format!("{ty} {}", field.name)
    })
}

fn structure<T: Reflect>(out: &mut String) -> std::fmt::Result {
    let name = format!("struct kgpu_{}", snake(T::NAME));
    writeln!(out, "\n{name} {{")?;
    for field in T::FIELDS {
        match declaration(field) {
            Some(text) => writeln!(out, "\t{text};")?,
            None => writeln!(out, "#error \"{}.{}: {}\"", T::NAME, field.name, field.ty)?,
        }
    }
    writeln!(out, "}};")?;
    writeln!(
        out,
        "_Static_assert(sizeof({name}) == {}, \"{name}\");",
        T::SIZE
    )?;
    for field in T::FIELDS {
        writeln!(
            out,
            "_Static_assert(__builtin_offsetof({name}, {field}) == {offset}, \"{name}.{field}\");",
            field = field.name,
            offset = field.offset,
        )?;
    }
    Ok(())
}

fn define(out: &mut String, name: &str, value: impl std::fmt::Display) -> std::fmt::Result {
    writeln!(out, "#define {name} {value}")
}

fn title(out: &mut String, text: &str) -> std::fmt::Result {
    writeln!(out, "\n/* {text} */")
}

/// The whole header.
pub fn generate() -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let out = &mut text;
    writeln!(
        out,
        "/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0 */\n\
         /*\n \
          * The ABI between the kgpu module and its helper. Generated from kgpu-core: do not edit.\n \
          *\n \
          *   {HEADER_COMMAND}\n \
          *\n \
          * What the fields mean: kgpu-core/src/abi and docs/abi.md.\n \
          */\n\
         #ifndef KGPU_ABI_H\n\
         #define KGPU_ABI_H\n\n\
         #include <linux/types.h>"
    )?;

    title(out, "Revision")?;
    define(out, "KGPU_ABI_MAGIC", format_args!("{:#x}ULL", abi::MAGIC))?;
    define(out, "KGPU_ABI_MAJOR", abi::MAJOR)?;
    define(out, "KGPU_ABI_MINOR", abi::MINOR)?;

    title(
        out,
        "The device node, and the file offsets of its three mappings",
    )?;
    define(
        out,
        "KGPU_DEVICE_PATH",
        format_args!("\"{}\"", abi::DEVICE_PATH),
    )?;
    for (name, at) in [
        ("KGPU_MAP_CONTROL", abi::MAP_CONTROL),
        ("KGPU_MAP_HELPER", abi::MAP_HELPER),
        ("KGPU_MAP_POOL", abi::MAP_POOL),
    ] {
        define(out, name, format_args!("{at:#x}ULL"))?;
    }

    title(out, "Sizes in bytes")?;
    define(out, "KGPU_PAGE", abi::PAGE)?;
    define(out, "KGPU_HEADER_BYTES", abi::HEADER_BYTES)?;
    define(out, "KGPU_KEY_BYTES_MAX", abi::KEY_BYTES_MAX)?;
    define(out, "KGPU_BACKEND_NAME_BYTES", abi::BACKEND_NAME_BYTES)?;
    define(out, "KGPU_IV_BYTES_MAX", kgpu_core::algorithm::IV_BYTES_MAX)?;

    title(out, "Words of the control mapping, written by the module")?;
    define(out, "KGPU_WORD_SQ_TAIL", abi::word::SQ_TAIL)?;
    define(out, "KGPU_WORD_CQ_HEAD", abi::word::CQ_HEAD)?;
    define(out, "KGPU_WORD_STATE", abi::word::STATE)?;
    define(out, "KGPU_WORD_KICK_NEEDED", abi::word::KICK_NEEDED)?;

    title(out, "Words of the helper mapping, written by the helper")?;
    define(out, "KGPU_WORD_SQ_HEAD", abi::word::SQ_HEAD)?;
    define(out, "KGPU_WORD_CQ_TAIL", abi::word::CQ_TAIL)?;
    define(out, "KGPU_WORD_HEARTBEAT", abi::word::HEARTBEAT)?;

    define(out, "KGPU_WORD_ASLEEP", abi::word::ASLEEP)?;
    define(out, "KGPU_WORD_SOURCES", abi::word::SOURCES)?;

    title(
        out,
        "Guest devices: virtio id, queues, most runs of a set-up, most areas of sources",
    )?;
    define(out, "KGPU_VIRTIO_ID", abi::guest::VIRTIO_ID)?;
    define(out, "KGPU_QUEUE_SETUP", abi::guest::QUEUE_SETUP)?;
    define(out, "KGPU_QUEUE_EVENTS", abi::guest::QUEUE_EVENTS)?;
    define(out, "KGPU_RUNS_MAX", abi::guest::RUNS_MAX)?;
    define(out, "KGPU_AREAS_MAX", abi::guest::AREAS_MAX)?;
    title(
        out,
        "What a guest device answers a set-up, and what it tells",
    )?;
    define(out, "KGPU_SETUP_SERVING", abi::guest::Setup::Serving.code())?;
    define(out, "KGPU_SETUP_REFUSED", abi::guest::Setup::Refused.code())?;
    define(out, "KGPU_SETUP_FAILED", abi::guest::Setup::Failed.code())?;
    define(out, "KGPU_EVENT_KICK", abi::guest::Event::Kick.code())?;
    define(out, "KGPU_EVENT_DETACH", abi::guest::Event::Detach.code())?;
    define(out, "KGPU_EVENT_ATTACH", abi::guest::Event::Attach.code())?;

    title(out, "The word at KGPU_WORD_STATE")?;
    for state in session_states() {
        let name = format!("KGPU_STATE_{}", shout(state.label()));
        define(out, &name, state.code())?;
    }
    title(out, "Operations")?;
    for op in abi::Op::ALL {
        define(out, &format!("KGPU_OP_{}", shout(op.label())), op.code())?;
    }
    title(out, "How an IV steps from data unit to data unit")?;
    for step in abi::IvStep::ALL {
        let name = format!("KGPU_IV_STEP_{}", shout(step.label()));
        define(out, &name, step.code())?;
    }
    title(out, "Status of a completion")?;
    for status in abi::Status::ALL {
        let name = format!("KGPU_STATUS_{}", shout(status.label()));
        define(out, &name, status.code())?;
    }

    title(out, "Flags; a bit without a name is refused")?;
    for (set, flag, bits) in flags() {
        let set = match set {
            "Features" => "FEATURE",
            "AttachFlags" => "ATTACH",
            "SubmissionFlags" => "SUBMISSION",
            _ => "TILE",
        };
        define(
            out,
            &format!("KGPU_{set}_{flag}"),
            format_args!("{bits:#x}"),
        )?;
    }

    title(out, "ioctls")?;
    for ioctl in abi::Ioctl::ALL {
        define(out, ioctl.name, format_args!("{:#010x}U", ioctl.request))?;
    }

    macro_rules! emit {
        ($ty:ty) => {
            structure::<$ty>(out)?
        };
    }
    kgpu_core::for_each_abi_struct!(emit);
    writeln!(out, "\n#endif /* KGPU_ABI_H */")?;
    Ok(text)
}
