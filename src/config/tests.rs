//! Every setting, found through clap's own list: a setting that is added later is tested too.

use std::collections::HashMap;
use std::ffi::OsString;

use clap::error::ErrorKind;

use super::sources::NEVER_ARGUMENTS;
use super::*;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn parse_with(args: &[&str], variables: Variables<'_>) -> Result<Cli, clap::Error> {
    let known: HashMap<&str, &str> = variables.iter().copied().collect();
    let args = std::iter::once("livesouk").chain(args.iter().copied()).map(OsString::from).collect();
    parse(args, &|name| known.get(name).map(OsString::from))
}

fn shown(args: &[&str], variables: Variables<'_>) -> String {
    match parse_with(args, variables) {
        Ok(cli) => format!("{:?}", cli.command),
        Err(error) => panic!("{args:?} {variables:?}: {error}"),
    }
}

fn refused(args: &[&str], variables: Variables<'_>) -> String {
    match parse_with(args, variables) {
        Ok(cli) => panic!("{args:?} {variables:?} is accepted: {:?}", cli.command),
        Err(error) => error.to_string(),
    }
}

fn serve(args: &[&str], variables: Variables<'_>) -> ServeArgs {
    match parse_with(&[&["serve"], args].concat(), variables) {
        Ok(Cli { command: Command::Serve(serve) }) => serve,
        other => panic!("{other:?}"),
    }
}

/// The commands that have settings, with the arguments that they need.
const COMMANDS: [&[&str]; 9] = [
    &["demo"],
    &["serve"],
    &["migrate", "--store", "sqlite:x.db"],
    &["token", "--user", "ann", "--name", "Ann", "--role", "host"],
    &["healthy"],
    &["mail", "test", "--to", "ann@shop.example"],
    &["owner", "recover"],
    &["secrets", "rekey"],
    &["reconcile", "--since", "2026-11-29T14:00:00Z", "--payments", "stripe"],
];

/// The settings of a command: flag, variable, and the definition.
fn settings(command: &str) -> Vec<(String, String, clap::Arg)> {
    let all = super::command();
    let settings = all
        .find_subcommand(command)
        .expect("a command")
        .get_arguments()
        .filter_map(|arg| Some((arg.get_long()?.to_owned(), arg.get_env()?.to_str()?.to_owned(), arg.clone())));
    settings.collect()
}

#[test]
fn command_line_definition_is_valid() {
    super::command().debug_assert();
}

#[test]
fn every_command_with_settings_is_swept() {
    let all = super::command();
    for subcommand in all.get_subcommands().filter(|subcommand| !settings(subcommand.get_name()).is_empty()) {
        assert!(COMMANDS.iter().any(|args| args[0] == subcommand.get_name()), "{} is not swept", subcommand.get_name());
    }
}

#[test]
fn empty_variable_is_not_given() {
    let mut swept = 0;
    for args in COMMANDS {
        let plain = shown(args, &[]);
        let all = settings(args[0]);
        for empty in ["", " ", "\n", " \r\n"] {
            for (_, variable, _) in &all {
                assert_eq!(shown(args, &[(variable, empty)]), plain, "{args:?} {variable}={empty:?}");
                swept += 1;
            }
            // As compose passes them on: all at once.
            let every: Vec<(&str, &str)> = all.iter().map(|(_, variable, _)| (variable.as_str(), empty)).collect();
            assert_eq!(shown(args, &every), plain, "{args:?} {empty:?}");
        }
    }
    assert!(swept >= 100, "only {swept}");
}

#[test]
fn empty_flag_of_a_setting_is_not_given() {
    for args in COMMANDS.iter().filter(|args| args[0] != "migrate") {
        for (flag, variable, _) in settings(args[0]) {
            let flag = format!("--{flag}=");
            assert_eq!(shown(&[args, &[flag.as_str()][..]].concat(), &[]), shown(args, &[]), "{flag} of {variable}");
        }
    }
    assert!(refused(&["token", "--user", "a", "--name", "A", "--role", "host", "--ttl="], &[]).contains("--ttl"));
}

/// A value other than the default for a setting: one that its parser accepts.
fn example_of(arg: &clap::Arg) -> &'static str {
    match arg.get_id().as_str() {
        "listen" | "metrics_listen" => ":1234",
        "store" => "postgres://u@h/d",
        "currency" => "SAR",
        "broker" => "redis://a",
        "trusted_proxies" | "address_exempt" | "private_addresses" => "10.0.0.1",
        "deflate" | "request_limits" => "false",
        "trusts_email" => "true",
        "filter" => "warn",
        "purchase_names" => "initials",
        "format" => "json",
        "sell_connections"
        | "chat_days"
        | "address_days"
        | "mail_days"
        | "connections_max"
        | "connections_per_address"
        | "payment_rate" => "7",
        "max_ttl_s" => "3600",
        "mail_from" | "to" => "orders@shop.example",
        "chat_per_second" | "room_chat_per_second" | "joins_per_second" | "grace_seconds" | "drain_seconds" => "7.5",
        _ => "https://example.com",
    }
}

#[test]
fn variable_sets_what_its_flag_sets_and_the_flag_counts_first() {
    for args in COMMANDS.iter().filter(|args| args[0] != "migrate") {
        let is_argument = |flag: &str| !flag.ends_with("-file") && !NEVER_ARGUMENTS.contains(&flag);
        for (flag, variable, arg) in settings(args[0]).iter().filter(|(flag, ..)| is_argument(flag)) {
            let value = example_of(arg);
            let flag = format!("--{flag}={value}");
            let with_flag = [args, &[flag.as_str()][..]].concat();
            let by_flag = shown(&with_flag, &[]);
            assert_ne!(by_flag, shown(args, &[]), "{flag}");
            for padded in [value.to_owned(), format!(" {value}\n"), format!("{value}\r\n")] {
                assert_eq!(shown(args, &[(variable, &padded)]), by_flag, "{variable}={padded:?}");
            }
            assert_eq!(shown(&with_flag, &[(variable, "!")]), by_flag, "{flag} and {variable}");
        }
    }
}

#[test]
fn invalid_variable_is_named_with_its_flag() {
    let mut checked = 0;
    for args in COMMANDS {
        for (flag, variable, arg) in settings(args[0]) {
            let Err(error) = parse_with(args, &[(&variable, "\u{1}")]) else { continue };
            let said = error.to_string();
            assert!(said.contains(&format!("--{flag}")) && said.contains(&variable), "{flag}: {said}");
            let hidden = arg.is_hide_env_values_set();
            assert!(!hidden || !said.contains('\u{1}'), "{flag} is a secret: {said}");
            checked += 1;
        }
    }
    assert!(checked >= 20, "only {checked}");
}

#[test]
fn list_is_trimmed_and_has_no_empty_item() {
    let with = |name, value| serve(&[], &[(name, value)]);
    for value in ["NEW,OLD", "NEW, OLD", " NEW ,\tOLD,", ",NEW,,OLD", "NEW\nOLD\n", "NEW, OLD\r\n"] {
        assert_eq!(with("LIVESOUK_AUTH_KEY", value).signing.auth_keys, ["NEW", "OLD"], "{value:?}");
        assert_eq!(serve(&["--auth-key", value], &[]).signing.auth_keys, ["NEW", "OLD"], "{value:?}");
    }
    assert_eq!(serve(&["--auth-key", "NEW,", "--auth-key", " OLD"], &[]).signing.auth_keys, ["NEW", "OLD"]);
    assert_eq!(with("LIVESOUK_ALLOW_ORIGIN", "https://a.example,").allow_origins, ["https://a.example"]);
    let proxies: Vec<String> =
        with("LIVESOUK_TRUSTED_PROXY", "10.0.0.1, 10.0.0.2").trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.1/32", "10.0.0.2/32"]);
    assert!(with("LIVESOUK_TRUSTED_PROXY", " , ").trusted_proxies.is_empty());
    assert_eq!(with("LIVESOUK_BROKER", "redis://a:6379, redis://b:6379").broker, "redis://a:6379,redis://b:6379");
    assert_eq!(with("LIVESOUK_SHOP", "One, Two").shop, "One, Two", "a title is no list");
}

#[test]
fn secret_comes_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let one = file("one", b"NEW\n");
    let two = file("two", b"NEW\r\nOLD\r\n");
    assert_eq!(serve(&["--auth-key-file", &one], &[]).signing.auth_keys, ["NEW"]);
    assert_eq!(serve(&[], &[("LIVESOUK_AUTH_KEY_FILE", &two)]).signing.auth_keys, ["NEW", "OLD"]);
    // Every secret has a file, on every command.
    let mut secrets = 0;
    for args in COMMANDS {
        let args = &args[..if args[0] == "migrate" { 1 } else { args.len() }];
        for (flag, variable, arg) in settings(args[0]).iter().filter(|(.., arg)| arg.is_hide_env_values_set()) {
            let value = example_of(arg);
            let path = file("secret", format!("{value}\n").as_bytes());
            let by_flag = match flag.as_str() {
                flag if NEVER_ARGUMENTS.contains(&flag) => shown(args, &[(variable, value)]),
                _ => shown(&[args, &[format!("--{flag}={value}").as_str()][..]].concat(), &[]),
            };
            let with_file = format!("--{flag}-file={path}");
            assert_eq!(shown(&[args, &[with_file.as_str()][..]].concat(), &[]), by_flag);
            let file_variable = format!("{variable}_FILE");
            assert_eq!(shown(args, &[(&file_variable, &path)]), by_flag);
            // The file that a flag names counts before a variable; an empty variable beside it does no harm.
            assert_eq!(shown(&[args, &[with_file.as_str()][..]].concat(), &[(variable, "x")]), by_flag);
            assert_eq!(shown(args, &[(&file_variable, &path), (variable, "")]), by_flag);
            let said = refused(args, &[(&file_variable, &path), (variable, value)]);
            assert!(said.contains(&format!("{variable} and {file_variable} are both set")), "{said}");
            let said = refused(&[args, &[with_file.as_str(), &format!("--{flag}={value}")][..]].concat(), &[]);
            assert!(said.contains(&format!("--{flag} and --{flag}-file")), "{said}");
            secrets += 1;
        }
    }
    assert!(secrets >= 5, "only {secrets}");
}

#[test]
fn unreadable_secret_file_is_named_with_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("empty"), b" \n").unwrap();
    std::fs::write(path("binary"), b"\xff\xfe\x00").unwrap();
    std::fs::write(path("large"), vec![b'x'; 70_000]).unwrap();
    for (file, part) in [
        (path("missing"), "No such file"),
        (path("empty"), "it is empty"),
        (path("binary"), "not text in UTF-8"),
        (path("large"), "larger than 64 KiB"),
        (path("."), "directory"),
        ("/dev/zero".to_owned(), "larger than 64 KiB"),
    ] {
        for said in [
            refused(&["serve", "--auth-key-file", &file], &[]),
            refused(&["serve"], &[("LIVESOUK_AUTH_KEY_FILE", &file)]),
        ] {
            assert!(said.contains("--auth-key-file (LIVESOUK_AUTH_KEY_FILE)"), "{said}");
            assert!(said.contains(&file) && said.contains(part), "{said}");
        }
    }
}

#[test]
fn negative_number_is_a_value_and_no_flag() {
    for args in COMMANDS {
        for (flag, variable, _) in settings(args[0]) {
            let flag = format!("--{flag}");
            let negative = [args, &[flag.as_str(), "-1"][..]].concat();
            if let Err(error) = parse_with(&negative, &[]) {
                let said = error.to_string();
                let expected = [ErrorKind::ValueValidation, ErrorKind::InvalidValue, ErrorKind::ArgumentConflict];
                assert!(expected.contains(&error.kind()) && said.contains(&flag), "{flag} {variable}: {said}");
            }
        }
    }
    let said = refused(&["serve", "--drain-seconds", "-1"], &[]);
    assert!(said.contains("'-1' for '--drain-seconds") && said.contains("from 0 to 600"), "{said}");
}

#[test]
fn value_out_of_range_is_refused_by_name() {
    for (flag, value) in [
        ("--chat-per-second", "-1"),
        ("--chat-per-second", "1001"),
        ("--room-chat-per-second", "200000"),
        ("--connections-max", "0"),
        ("--joins-per-second", "nan"),
        ("--grace-seconds", "601"),
        ("--drain-seconds", "inf"),
        ("--sell-connections", "65"),
        ("--chat-days", "36501"),
        ("--trusted-proxy", "10.0.0.0/33"),
        ("--log", "nonsense"),
        ("--log-format", "xml"),
        ("--deflate", "perhaps"),
    ] {
        let said = refused(&["serve", flag, value], &[]);
        assert!(said.contains(flag) && said.contains(value), "{said}");
    }
}

#[test]
fn contradictory_settings_are_refused_by_name() {
    for (args, part) in [
        (vec!["--store", "mysql://x"], "--store (LIVESOUK_STORE) must be"),
        (vec!["--broker", "redis://x"], "SQLite"),
        (vec!["--broker", "kafka"], "--broker must be local"),
        (vec!["--currency", "sar"], "--currency (LIVESOUK_CURRENCY)"),
        (vec!["--webhook-secret", "short"], "--webhook-secret (LIVESOUK_WEBHOOK_SECRET)"),
    ] {
        assert!(serve(&args, &[]).check().unwrap_err().contains(part), "{args:?}");
    }
    for fitting in [vec![], vec!["--broker", "redis://x", "--store", "postgres://x"]] {
        assert_eq!(serve(&fitting, &[]).check(), Ok(()), "{fitting:?}");
    }
}

#[test]
fn test_provider_is_on_only_by_its_flag() {
    assert_eq!(serve(&[], &[]).payment_provider, None);
    assert_eq!(serve(&["--payments", "test"], &[]).payment_provider, Some(PaymentProviderName::Test));
    let command = super::command();
    let serve = command.find_subcommand("serve").unwrap();
    let flag = serve.get_arguments().find(|flag| flag.get_long() == Some("payments")).unwrap();
    assert_eq!(flag.get_env(), None, "no variable may turn the test provider on");
}

#[test]
fn stripe_needs_its_keys_and_a_live_key_goes_to_stripe_only() {
    let key = [("LIVESOUK_STRIPE_KEY", "rk_live_1")];
    let live =
        ["--payments", "stripe", "--stripe-webhook-secret", "whsec_a,whsec_b", "--base-url", "https://shop.example"];
    assert_eq!(serve(&live, &key).check(), Ok(()));
    assert_eq!(serve(&live, &key).stripe.stripe_webhook_secrets, ["whsec_a", "whsec_b"]);
    let without = |flag: &str| -> Vec<&str> {
        let at = live.iter().position(|arg| *arg == flag).unwrap();
        [&live[..at], &live[at + 2..]].concat()
    };
    let elsewhere = [&live[..], &["--stripe-api-base", "http://127.0.0.1:1"]].concat();
    let other_form = [&live[..], &["--stripe-element-js", "http://127.0.0.1:1/form.js"]].concat();
    let public = |key: &'static str| [&live[..], &["--stripe-publishable-key", key]].concat();
    for (args, key, part) in [
        (live.to_vec(), "", "--stripe-key-file"),
        (live.to_vec(), "pk_live_1", "rk_… or sk_…"),
        (without("--stripe-webhook-secret"), "rk_live_1", "LIVESOUK_STRIPE_WEBHOOK_SECRET"),
        (without("--base-url"), "rk_live_1", "--base-url"),
        (other_form.clone(), "rk_live_1", "--stripe-element-js is refused"),
        (public("pk_test_1"), "rk_live_1", "must begin with pk_live_"),
        (public("pk_live_1"), "rk_test_1", "must begin with pk_test_"),
        (elsewhere.clone(), "rk_live_1", "--stripe-api-base is refused"),
        (elsewhere.clone(), "sk_live_1", "--stripe-api-base is refused"),
    ] {
        let said = serve(&args, &[("LIVESOUK_STRIPE_KEY", key)]).check().unwrap_err();
        assert!(said.contains(part), "{args:?} {key}: {said}");
    }
    // Without any key an owner sets them on the pages; a key for secrets encrypts them.
    let secrets = ("LIVESOUK_SECRETS_KEY", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    let pages = ["--payments", "stripe", "--base-url", "https://shop.example"];
    assert_eq!(serve(&pages, &[secrets]).check(), Ok(()));
    for (args, vars, part) in [
        (pages.to_vec(), vec![], "--secrets-key-file"),
        (live.to_vec(), vec![secrets], "--stripe-key-file"),
        ([&pages[..], &["--stripe-publishable-key", "pk_live_1"]].concat(), vec![secrets], "--stripe-key-file"),
        ([&pages[..], &["--stripe-api-base", "ftp://x"]].concat(), vec![secrets], "--stripe-api-base must begin"),
        (vec!["--stripe-api-base", "ftp://x"], vec![], "--stripe-api-base must begin"),
    ] {
        let said = serve(&args, &vars).check().unwrap_err();
        assert!(said.contains(part), "{args:?}: {said}");
    }
    for fitting in [elsewhere, other_form, public("pk_test_1")] {
        assert_eq!(serve(&fitting, &[("LIVESOUK_STRIPE_KEY", "rk_test_1")]).check(), Ok(()), "{fitting:?}");
    }
    assert_eq!(serve(&public("pk_live_1"), &key).check(), Ok(()));
    let script = [&live[..], &["--stripe-element-js", "javascript:alert(1)"]].concat();
    let said = serve(&script, &[("LIVESOUK_STRIPE_KEY", "rk_test_1")]).check().unwrap_err();
    assert!(said.contains("--stripe-element-js"), "{said}");
    let said = refused(&["serve", "--stripe-key", "rk_live_1"], &[]);
    assert!(said.contains("not taken as an argument") && !said.contains("rk_live_1"), "{said}");
    let command = super::command();
    let serve = command.find_subcommand("serve").unwrap();
    for only_a_flag in ["stripe-api-base", "stripe-element-js"] {
        let found = serve.get_arguments().find(|flag| flag.get_long() == Some(only_a_flag)).unwrap();
        assert_eq!(found.get_env(), None, "no variable may send payments elsewhere: {only_a_flag}");
    }
}

#[test]
fn payment_adapter_needs_its_address_and_key_and_has_tls_outside_of_own_networks() {
    let key = [("LIVESOUK_PAYMENT_ADAPTER_KEY", "whsec_new,whsec_old")];
    let with = |url: &'static str| {
        ["--payments", "http", "--base-url", "https://shop.example", "--payment-adapter-url", url].to_vec()
    };
    let good = with("https://adapter.shop.example/livesouk");
    assert_eq!(serve(&good, &key).check(), Ok(()));
    assert_eq!(serve(&good, &key).adapter.payment_adapter_keys, ["whsec_new", "whsec_old"]);
    for own in [
        "http://127.0.0.1:9",
        "http://[::1]:9/",
        "http://10.0.0.7/",
        "http://adapter:8090/a",
        "http://pay.shop.internal",
    ] {
        assert_eq!(serve(&with(own), &key).check(), Ok(()), "{own}");
    }
    for (args, key, part) in [
        (good[..4].to_vec(), "whsec_new", "--payment-adapter-url"),
        (good.clone(), "", "--payment-adapter-key-file"),
        ([&good[..2], &good[4..]].concat(), "whsec_new", "--base-url"),
        (with("http://adapter.shop.example"), "whsec_new", "must begin with https://"),
        (with("http://8.8.8.8"), "whsec_new", "must begin with https://"),
        (with("adapter:8090"), "whsec_new", "must be an address"),
        (with("https://me:secret@adapter.shop.example"), "whsec_new", "no password"),
    ] {
        let said = serve(&args, &[("LIVESOUK_PAYMENT_ADAPTER_KEY", key)]).check().unwrap_err();
        assert!(said.contains(part), "{args:?} {key}: {said}");
    }
    let said = refused(&["serve", "--payment-adapter-key", "whsec_new"], &[]);
    assert!(said.contains("not taken as an argument") && !said.contains("whsec_new"), "{said}");
    let command = super::command();
    let serve = command.find_subcommand("serve").unwrap();
    for only_a_flag in ["payment-adapter-url", "payment-adapter-test"] {
        let found = serve.get_arguments().find(|flag| flag.get_long() == Some(only_a_flag)).unwrap();
        assert_eq!(found.get_env(), None, "no variable may send payments elsewhere: {only_a_flag}");
    }
}

#[test]
fn missing_setting_is_named_with_its_variable() {
    let said = refused(&["migrate"], &[]);
    assert!(said.contains("--store") && said.contains("LIVESOUK_STORE"), "{said}");
}

#[test]
fn help_names_flags_variables_and_files() {
    // Also when a variable is empty, and when something else is wrong with the command line.
    for args in [&["serve", "--help"][..], &["help", "serve"], &["serve", "--help", "--nonsense"]] {
        let error = parse_with(args, &[("LIVESOUK_LISTEN", "")]).unwrap_err();
        let help = error.to_string();
        assert_eq!(error.kind(), ErrorKind::DisplayHelp);
        for part in
            ["--auth-key-file <FILE>", "LIVESOUK_AUTH_KEY_FILE", "--trusted-proxy <IP>", "LIVESOUK_TRUSTED_PROXY"]
        {
            assert!(help.contains(part), "{part} is not in {help}");
        }
        let at = |flag: &str| help.find(flag).expect("a flag");
        assert!(at("--store-file ") < at("--broker "), "a file comes after its setting: {help}");
    }
}
