use std::process::Command;

use super::*;
use crate::secret::SystemRandom;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn keyring() -> Keyring {
    Keyring::new(&[1; 32])
}

fn enrolment() -> Enrolment {
    let (id, alice) = (crate::account::new_id(&SystemRandom, NOW), UserId(Uuid::from_u128(1)));
    Enrolment::generate(&keyring(), &SystemRandom, (id, alice), "alice", "https://gate.example.org:8443", NOW)
}

/// What an authenticator shows, computed by OATH Toolkit.
fn oathtool(letters: &str, at: Timestamp) -> String {
    oathtool_with(&["--totp"], letters, at)
}

/// The same, of other parameters.
fn oathtool_with(parameters: &[&str], letters: &str, at: Timestamp) -> String {
    let output = Command::new("oathtool")
        .args(parameters)
        .args(["--base32", letters, "--now", &format!("@{}", at.as_secs())])
        .output()
        .expect("oathtool is installed (Debian: apt-get install oathtool; tests/run does it)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn step_of(row: &SecondFactorRow, code: &str) -> Option<i64> {
    matching_step(&keyring(), row, code, NOW).unwrap()
}

#[test]
fn the_codes_are_those_of_an_independent_implementation() {
    let shown = enrolment();
    for offset in [-30, 0, 30] {
        let at = Timestamp::from_secs(NOW.as_secs() + offset);
        let code = oathtool(&shown.letters, at);
        assert_eq!(step_of(&shown.row, &code), Some(at.as_secs() / 30), "the code {offset} s away");
    }
    for offset in [-90, 90] {
        let code = oathtool(&shown.letters, Timestamp::from_secs(NOW.as_secs() + offset));
        assert_eq!(step_of(&shown.row, &code), None, "the code {offset} s away");
    }
}

#[test]
fn a_step_at_or_before_the_last_used_matches_no_more() {
    let mut shown = enrolment();
    let code = oathtool(&shown.letters, NOW);
    let step = step_of(&shown.row, &code).unwrap();
    shown.row.last_step = step;
    assert_eq!(step_of(&shown.row, &code), None);
    shown.row.last_step = step - 1;
    assert_eq!(step_of(&shown.row, &code), Some(step));
}

#[test]
fn mfa_2_only_exactly_six_ascii_digits_are_compared() {
    let shown = enrolment();
    let code = oathtool(&shown.letters, NOW);
    let (front, back) = code.split_at(3);
    let arabic: String = code.bytes().map(|digit| char::from_u32(0x660 + u32::from(digit - b'0')).unwrap()).collect();
    for typed in [
        format!(" {code}"),
        format!("{front} {back}"),
        format!("{code}\n"),
        format!("0{code}"),
        code[..5].to_owned(),
        arabic,
        String::new(),
    ] {
        assert_eq!(step_of(&shown.row, &typed), None, "{typed:?}");
    }
}

#[test]
fn the_letters_come_in_groups_of_four_and_the_address_says_the_same() {
    let shown = enrolment();
    assert_eq!(shown.letters.len(), 32 + 7);
    assert!(shown.letters.split(' ').all(|group| group.len() == 4));
    let secret = shown.letters.replace(' ', "");
    assert_eq!(
        shown.uri,
        format!("otpauth://totp/gate.example.org%208443:alice?secret={secret}&issuer=gate.example.org%208443")
    );
    assert!(shown.qr_svg.starts_with("<svg") && shown.qr_svg.ends_with("</svg>"));
}

#[test]
fn an_unconfirmed_enrolment_is_shown_again_the_same() {
    let shown = enrolment();
    let again = Enrolment::reopen(&keyring(), shown.row.clone(), "alice", "https://gate.example.org:8443").unwrap();
    assert_eq!((again.letters, again.uri), (shown.letters, shown.uri));
}

#[test]
fn a_seed_in_another_row_does_not_open() {
    let (one, mut other) = (enrolment(), enrolment());
    other.row.seed = one.row.seed;
    assert_eq!(matching_step(&keyring(), &other.row, "123456", NOW), Err(DoesNotOpen.into()));
}

#[test]
fn a_row_under_another_user_does_not_open() {
    let mut row = enrolment().row;
    row.user = UserId(Uuid::from_u128(2));
    assert_eq!(matching_step(&keyring(), &row, "123456", NOW), Err(DoesNotOpen.into()));
}

#[test]
fn a_seed_of_an_earlier_version_opens_in_its_row() {
    let (shown, seed) = (enrolment(), [7; 20]);
    let id = shown.row.id.to_string();
    let row = SecondFactorRow { seed: keyring().seal(&SystemRandom, place(&id), &seed), ..shown.row };
    let letters = Enrolment::reopen(&keyring(), row.clone(), "alice", "gate").unwrap().letters;
    assert_eq!(letters.replace(' ', "").len(), 32);
    assert!(step_of(&row, &oathtool(&letters, NOW)).is_some());
}

#[test]
fn parameters_are_those_of_the_row() {
    for (algorithm, digits, period_secs) in
        [("SHA1", 8, 30), ("SHA256", 6, 60), ("SHA256", 8, 30), ("SHA512", 8, 60), ("SHA512", 6, 15)]
    {
        let shown = enrolment();
        let row = SecondFactorRow { algorithm: algorithm.into(), digits, period_secs, ..shown.row };
        for offset in [-period_secs, 0, period_secs] {
            let at = Timestamp::from_secs(NOW.as_secs() + offset);
            let (mode, digits, period) =
                (format!("--totp={algorithm}"), digits.to_string(), format!("--time-step-size={period_secs}s"));
            let code = oathtool_with(&[&mode, "--digits", &digits, &period], &shown.letters, at);
            let step = Some(at.as_secs() / period_secs);
            assert_eq!(step_of(&row, &code), step, "{algorithm}, {digits} digits, {period_secs} s, {offset} s away");
        }
        let usual = oathtool(&shown.letters, NOW);
        assert_eq!(step_of(&row, &usual), None, "{algorithm}, {digits}, {period_secs}: the usual code is not its own");
        let again = Enrolment::reopen(&keyring(), row, "alice", "gate").unwrap();
        assert!(digits == 6 || again.uri.contains("digits=8"), "{}", again.uri);
        assert!(period_secs == 30 || again.uri.contains(&format!("period={period_secs}")), "{}", again.uri);
    }
}

#[test]
fn mfa_2_a_row_of_eight_digits_takes_eight_ascii_digits_alone() {
    let shown = enrolment();
    let row = SecondFactorRow { digits: 8, ..shown.row };
    let code = oathtool_with(&["--totp", "--digits", "8"], &shown.letters, NOW);
    assert!(step_of(&row, &code).is_some());
    let (front, back) = code.split_at(4);
    for typed in [code[2..].to_owned(), format!("0{code}"), format!("{front} {back}"), format!("{code} ")] {
        assert_eq!(step_of(&row, &typed), None, "{typed:?}");
    }
}

#[test]
fn parameters_nobody_knows_are_no_wrong_code() {
    let shown = enrolment();
    let odd = [
        SecondFactorRow { algorithm: "MD5".into(), ..shown.row.clone() },
        SecondFactorRow { algorithm: "sha1".into(), ..shown.row.clone() },
        SecondFactorRow { digits: 7, ..shown.row.clone() },
        SecondFactorRow { digits: -250, ..shown.row.clone() },
        SecondFactorRow { period_secs: 0, ..shown.row.clone() },
        SecondFactorRow { period_secs: 86_400, ..shown.row.clone() },
    ];
    for row in odd {
        let outcome = matching_step(&keyring(), &row, "123456", NOW);
        let unknown = Unusable::Parameters { digits: row.digits, period_secs: row.period_secs };
        assert_eq!(outcome, Err(unknown), "{row:?}");
    }
}

#[test]
fn a_seed_is_not_printed() {
    let shown = enrolment();
    let printed = format!("{shown:?}");
    assert!(!printed.contains(&shown.letters) && !printed.contains("otpauth"));
}
