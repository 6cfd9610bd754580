//! The `kgpu` program as a user meets it: output, exit codes, and what it says to do next.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::{Command, Output};

fn kgpu(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kgpu"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_list_names_every_algorithm() {
    let table = text(&kgpu(&["list"]).stdout);
    for algorithm in kgpu_algos::all() {
        assert!(table.contains(algorithm.name) && table.contains(algorithm.driver));
    }
    assert_eq!(table.lines().count(), kgpu_algos::COUNT + 1);
    let json: serde_json::Value =
        serde_json::from_slice(&kgpu(&["list", "--json"]).stdout).unwrap();
    let list = json.as_array().unwrap();
    assert_eq!(list.len(), kgpu_algos::COUNT);
    let aes = list.iter().find(|a| a["name"] == "ctr(aes)").unwrap();
    assert_eq!(aes["key_bytes"], serde_json::json!([16, 24, 32]));
}

#[test]
fn a_missing_device_says_how_to_load_the_module() {
    let out = kgpu(&["serve", "--device", "/nonexistent/kgpu"]);
    assert_eq!(out.status.code(), Some(3));
    let said = text(&out.stderr);
    assert!(
        said.contains("next: ") && said.contains("modprobe kgpu"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_no_device_is_refused() {
    let path = std::env::temp_dir().join(format!("kgpu-program-{}", std::process::id()));
    std::fs::write(&path, "").unwrap();
    let out = kgpu(&["serve", "--device", path.to_str().unwrap()]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(out.status.code(), Some(6), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("next: "));
    assert!(!text(&out.stdout).contains("READY"));
}

#[test]
fn wrong_command_lines_are_explained() {
    for wrong in [
        &["serve", "--workers", "0"][..],
        &["serve", "--tile-kib", "48"],
        &["serve", "--backend", "abacus"],
        &["bench"],
        &["bench", "ring", "--algorithms", "ctr(rot13)"],
        &["bench", "ring", "--sizes", "lots"],
        &["bench", "ring", "--seconds", "-1"],
        &["bench", "ring", "--algorithms", "cbc(aes)", "--sizes", "17"],
        &[
            "bench",
            "throughput",
            "--algorithms",
            "cbc(aes)",
            "--sizes",
            "17",
        ],
        &["bench", "peers", "--threads", "0"],
        &["--log", "=!=", "list"],
        &[],
    ] {
        let out = kgpu(wrong);
        assert_eq!(out.status.code(), Some(2), "{wrong:?}");
        assert!(!out.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn help_tells_the_exit_codes() {
    let help = text(&kgpu(&["--help"]).stdout);
    for command in ["serve", "status", "list", "bench"] {
        assert!(help.contains(command));
        assert!(kgpu(&[command, "--help"]).status.success());
    }
    assert!(help.contains("Exit codes"));
}

#[test]
fn bench_measures_and_writes_csv() {
    let path = std::env::temp_dir().join(format!("kgpu-bench-{}.csv", std::process::id()));
    let out = kgpu(&[
        "bench",
        "ring",
        "--algorithms",
        "ctr(aes):192,crc32c",
        "--sizes",
        "512,20k",
        "--depths",
        "1,5",
        "--workers",
        "1,2",
        "--seconds",
        "0.01",
        "--repeats",
        "2",
        "--csv",
        path.to_str().unwrap(),
    ]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout).lines().count(), 17);
    let csv = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let columns = csv.lines().map(|line| line.split(',').count());
    assert!(columns.eq(std::iter::repeat_n(11, 17)), "{csv}");
}

#[test]
fn bench_ends_with_its_own_code_when_over_the_limit() {
    let limit = [
        "bench",
        "ring",
        "--algorithms",
        "ctr(aes)",
        "--sizes",
        "16",
        "--depths",
        "1",
    ];
    let run = |most| {
        let rest = ["--seconds", "0.01", "--repeats", "1", "--max-cost", most];
        kgpu(&[&limit[..], &rest].concat()).status.code()
    };
    assert_eq!(run("0.001"), Some(8));
    assert_eq!(run("1e12"), Some(0));
}
