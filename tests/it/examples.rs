//! The examples that sign tokens, run by their own interpreters. `examples/README.md` tells sites to copy them.

use std::path::Path;
use std::process::Command;

use livesouk::clock::Clock;
use livesouk::domain::Role;
use livesouk::http::auth::TokenAuth;

const KEY: &str = "the key of the examples, thirty-two bytes or more";

/// What the script prints for this customer.
fn run(program: &str, script: &str, id: &str, name: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(script);
    let output = Command::new(program).arg(script).args([id, name]).env("LIVESOUK_AUTH_KEY", KEY).output();
    let output = output.unwrap_or_else(|error| panic!("{program} does not start ({error}); scripts/test installs it"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn example_tokens_are_accepted_and_long_names_are_cut_to_40_characters() {
    let auth = TokenAuth::new(&[KEY.to_owned()], Clock::system()).unwrap();
    let other_key =
        TokenAuth::new(&["another key, also of thirty-two bytes or more".to_owned()], Clock::system()).unwrap();
    for (program, script) in [("node", "sign-token.mjs"), ("python3", "sign_token.py"), ("php", "sign_token.php")] {
        // Beyond the Basic Multilingual Plane, so that counting UTF-16 units or bytes would cut too early.
        let long = "😀نورة".repeat(20);
        let token = run(program, script, "4711", &long);
        let actor = auth.verify(&token, None).await.unwrap_or_else(|refusal| panic!("{script}: {refusal}"));
        assert_eq!((actor.user.as_str(), actor.role), ("4711", Role::Viewer), "{script}");
        assert_eq!(actor.name.as_str(), long.chars().take(40).collect::<String>(), "{script}");
        assert!(other_key.verify(&token, None).await.is_err(), "{script}");
    }
}
