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
        &["serve", "--queues", "0"],
        &["bench", "throughput", "--backend", "cpu", "--gpu", "0"],
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

/// With or without a GPU: a table, or why there is none and what to do, and no error either way.
#[test]
fn devices_are_listed_or_their_absence_explained() {
    let out = kgpu(&["devices"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let said = text(&out.stdout);
    if said.starts_with("No CUDA devices: ") {
        assert!(said.contains("next: "), "{said}");
        // Who asks for CUDA all the same is told, and nothing is computed by anything else.
        let out = kgpu(&[
            "bench",
            "throughput",
            "--backend",
            "cuda",
            "--algorithms",
            "crc32c",
        ]);
        assert_eq!(out.status.code(), Some(1));
        assert!(
            text(&out.stderr).contains("next: "),
            "{}",
            text(&out.stderr)
        );
        assert!(out.stdout.is_empty());
    } else {
        assert!(
            said.starts_with("gpu") && said.lines().count() > 1,
            "{said}"
        );
    }
}

#[test]
fn help_tells_the_exit_codes() {
    let help = text(&kgpu(&["--help"]).stdout);
    for command in ["serve", "status", "list", "devices", "verify", "bench"] {
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
        let rest = ["--seconds", "0.01", "--repeats", "1", most];
        kgpu(&[&limit[..], &rest].concat()).status.code()
    };
    // Whatever else runs on the machine: no ring saves more than all of the time.
    assert_eq!(run("--max-cost=-101"), Some(8));
    assert_eq!(run("--max-cost=1e12"), Some(0));
}

/// Every part but the device's, and every file.
#[test]
fn bench_all_writes_its_report_in_every_form() {
    let folder = std::env::temp_dir().join(format!("kgpu-bench-all-{}", std::process::id()));
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let words = "bench all --backend cpu --algorithms ctr(aes):256,crc32c --ops encrypt \
                 --sizes 512,4k --depths 1,64 --workers 1 --pool-mib 1 --threads 1 \
                 --seconds 0.001 --repeats 1";
    let mut arguments: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    for (option, value) in [
        ("--machine", "a <test>".to_owned()),
        ("--csv", path("bench.csv")),
        ("--json", path("bench.json")),
        ("--plots", path("plots")),
        ("--store", path("kgpu.conf")),
    ] {
        arguments.extend([option.to_owned(), value]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let out = kgpu(&arguments);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let csv = read("bench.csv");
    let rows: Vec<Vec<&str>> = csv.lines().map(|l| l.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{csv}");
    let of = |part: &str| rows.iter().filter(|row| row[0] == part).count();
    assert_eq!(of("throughput"), 8, "{csv}");
    // Depths of 1 to 128 sectors, twice 4 KiB each: no more fit a pool of 1 MiB.
    assert!(of("burst") >= 16, "{csv}");
    assert!(of("peer") >= 2, "{csv}");
    assert!(text(&out.stdout).contains("--pool-mib 1"));
    let json: serde_json::Value = serde_json::from_str(&read("bench.json")).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), rows.len() - 1);
    assert_eq!(json["machine"]["name"], "a <test>");
    let command = json["command"].as_str().unwrap();
    assert!(command.starts_with("kgpu bench all"), "{command}");
    let stored = read("kgpu.conf");
    let mut options = stored
        .lines()
        .filter(|l| l.starts_with("options kgpu crossover="));
    assert!(options.next().unwrap().contains("ctr(aes)="), "{stored}");
    for cipher in ["aes", "crc32c"] {
        let svg = read(&format!("plots/{cipher}.svg"));
        assert!(
            svg.starts_with("<svg") && svg.contains("a &lt;test&gt;"),
            "{svg}"
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
