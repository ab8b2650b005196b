//! What every page keeps to.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::texts::Texts;
use super::super::{Language, assets};
use super::{CSRF, all, every_refusal};

const STYLE: &str = include_str!("../assets/vantail.css");

fn count(page: &str, what: &str) -> usize {
    page.matches(what).count()
}

#[test]
fn every_page_names_its_language_its_title_and_one_heading() {
    for language in [Language::En, Language::Fr] {
        for (name, page) in all(language) {
            assert!(page.starts_with("<!doctype html>"), "{name}");
            assert_eq!(count(&page, &format!("<html lang=\"{}\">", language.tag())), 1, "{name}");
            assert_eq!((count(&page, "<h1"), count(&page, "<main id=\"main\"")), (1, 1), "{name}");
            assert_eq!((count(&page, "<title>"), count(&page, "01JNB2W6V4Q5")), (1, 1), "{name}");
        }
    }
}

/// The colours that the style sheet names, for light screens and for dark ones.
fn palettes() -> [BTreeMap<&'static str, &'static str>; 2] {
    let read = |block: &'static str| {
        let named = block.split(';').filter_map(|one| one.trim().split_once(": "));
        named.filter(|(name, value)| name.starts_with("--") && value.starts_with('#')).collect::<BTreeMap<_, _>>()
    };
    let mut blocks = STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap());
    let light = read(blocks.next().unwrap());
    let mut dark = light.clone();
    dark.extend(read(blocks.next().unwrap()));
    [light, dark]
}

/// How light a colour is, as WCAG 2.2 reckons it (0 black, 1 white).
fn luminance(colour: &str) -> f64 {
    let digits: String = match &colour[1..] {
        short if short.len() == 3 => short.chars().flat_map(|digit| [digit, digit]).collect(),
        long => long.to_owned(),
    };
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

/// WCAG 2.2, 1.4.3: text stands out from its ground by 4.5 to 1.
#[test]
fn every_text_can_be_read_by_weak_eyes_in_light_and_dark() {
    let pairs = [
        ("--ink", "--ground"),
        ("--ink", "--sheet"),
        ("--ink", "--sunk"),
        ("--ink", "--note-ground"),
        ("--soft", "--ground"),
        ("--soft", "--sheet"),
        ("--soft", "--sunk"),
        ("--link", "--ground"),
        ("--link", "--sheet"),
        ("--bad", "--sheet"),
        ("--bad", "--bad-ground"),
        ("--good", "--good-ground"),
        ("--wait", "--wait-ground"),
    ];
    for palette in palettes() {
        for (text, ground) in pairs {
            let (one, other) = (luminance(palette[text]), luminance(palette[ground]));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2} to 1");
        }
    }
}

#[test]
fn web_4_no_page_carries_script_or_style_of_its_own_or_anything_from_elsewhere() {
    for (name, page) in all(Language::En) {
        assert_eq!(count(&page, "<script"), 1, "{name} has a script of its own");
        for forbidden in ["style=", "<style", " onclick", " onload", "javascript:", "src=\"http", "href=\"http"] {
            assert!(!page.contains(forbidden), "{name} contains {forbidden}");
        }
    }
}

#[test]
fn every_field_of_every_form_has_a_label_and_every_post_its_anti_forgery_value() {
    for (name, page) in all(Language::En) {
        for field in page.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let id = field.split("id=\"").nth(1).and_then(|rest| rest.split('"').next());
            let labelled = id.is_some_and(|id| page.contains(&format!("<label for=\"{id}\">")));
            assert!(labelled || field.contains("type=\"hidden\""), "{name}: {field}");
        }
        let proofs = count(&page, &format!("name=\"csrf\" value=\"{CSRF}\""));
        assert_eq!(count(&page, "method=\"post\""), proofs, "{name}");
    }
}

#[test]
fn hold_1_the_page_shows_everything_that_will_be_sent() {
    let page = &all(Language::En)["operation"];
    for wanted in [
        "Delete customer 42",
        "48271935",
        "Alice Martin",
        "alice@example.org",
        "POST",
        "https://crm.example.org",
        "/admin/customers/42/delete?force=1",
        "Asked for by the customer, ticket 1187",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        "192.0.2.17",
        "2026-03-01T12:01:00Z",
    ] {
        assert!(page.contains(wanted), "{wanted} is not on the page");
    }
}

#[test]
fn what_a_rule_masks_is_neither_shown_nor_for_download() {
    let page = &all(Language::En)["operation-masked"];
    assert!(page.contains("masked") && !page.contains("48271935/body") && !page.contains("sha-256="));
}

#[test]
fn hold_2_nothing_captured_becomes_markup_and_what_is_hidden_shows() {
    let page = &all(Language::En)["operation-hostile"];
    assert!(!page.contains("<script>alert") && !page.contains("<b>supplier"));
    for wanted in
        ["U+202E", "U+0456", "10000 blanks", "976.5\u{a0}KiB left out here", "/secure/operations/48271935/body"]
    {
        assert!(page.contains(wanted), "{wanted} is not on the page");
    }
}

#[test]
fn who_may_not_confirm_is_told_why_in_the_place_of_the_form() {
    let pages = all(Language::En);
    for (name, wanted, may) in [
        ("operation-own", "You asked for this yourself", ["cancel"].as_slice()),
        ("operation-kin", "Somebody who shares your phone number or mail address", &["deny"]),
        ("operation-no-token", "You have no token for this operation yet", &["new-token", "deny"]),
    ] {
        let page = &pages[name];
        assert!(page.contains(wanted), "{name}: {page}");
        for act in ["confirm", "new-token", "deny", "cancel"] {
            let offered = page.contains(&format!("action=\"/secure/operations/48271935/{act}\""));
            assert_eq!(offered, may.contains(&act), "{name}: {act}");
        }
    }
}

#[test]
fn every_refusal_says_what_happened_and_what_to_do_in_both_languages() {
    for language in [Language::En, Language::Fr] {
        let t = Texts::of_language(language);
        for refused in every_refusal() {
            for family in ["refusal-title", "refusal-what", "refusal-next"] {
                let text = t.of(family, refused.word()).unwrap_or_default();
                assert!(text.len() > 5, "{family}.{} says nothing", refused.word());
            }
        }
    }
}

#[test]
fn every_refusal_is_in_the_documentation_for_programs() {
    let api = include_str!("../../../docs/api.md");
    for refused in every_refusal() {
        assert!(api.contains(&format!("`{}`", refused.word())), "{} is not in docs/api.md", refused.word());
    }
}

#[test]
fn the_pages_can_be_looked_at() {
    let Some(folder) = std::env::var_os("VANTAIL_PAGES") else { return };
    let folder = Path::new(&folder);
    let assets = assets::addresses();
    for language in [Language::En, Language::Fr] {
        for (name, page) in all(language) {
            let page = page
                .replace(&assets.style, "vantail.css")
                .replace(&assets.logo, "logo.svg")
                .replace(&assets.script, "vantail.js");
            std::fs::write(folder.join(format!("{name}.{}.html", language.tag())), page).unwrap();
        }
    }
}
