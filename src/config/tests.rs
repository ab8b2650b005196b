use super::*;

const NONE: [(String, String); 0] = [];

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vantail.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.path().join("secret"), "from the file\n").unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let place = folder.path().display().to_string();
    Config::load_with(Some(&file), variables)
        .map_err(|faults| faults.iter().map(|fault| fault.to_string().replace(&place, "")).collect())
}

fn faults(text: &str, variables: &[(&str, &str)]) -> String {
    read(text, variables).unwrap_err().join("\n")
}

#[test]
fn an_empty_file_has_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vantail.toml");
    std::fs::write(&file, "").unwrap();
    let config = Config::load_with(Some(&file), NONE).unwrap();
    assert_eq!(config.listen.http, ["0.0.0.0:8080".parse().unwrap()]);
    assert_eq!(config.store.database, format!("sqlite:{}", folder.path().join("var/vantail.db").display()));
    assert_eq!(config.policies, folder.path().join("policies"));
    assert!(matches!(config.keys, Keys::Directory(directory) if directory == folder.path().join("var/keys")));
    assert!(config.mail.is_none() && config.sms.is_none() && config.listen.operations.is_none());
}

#[test]
fn paths_start_beside_the_folder_called_config() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    let file = folder.path().join("config/vantail.toml");
    std::fs::write(&file, "").unwrap();
    assert_eq!(Config::load_with(Some(&file), NONE).unwrap().policies, folder.path().join("policies"));
}

#[test]
fn variables_win_over_the_file_and_are_read_as_their_key_wants() {
    let config = read(
        "[listen]\nhttp = [\"127.0.0.1:1\"]\n[mail]\nurl = \"smtps://gate@mail.test\"\nfrom = \"gate@mail.test\"\n",
        &[
            ("VANTAIL_LISTEN__HTTP", "127.0.0.1:2, 127.0.0.1:3"),
            ("VANTAIL_LISTEN__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
            ("VANTAIL_LISTEN__PROXY_PROTOCOL", "true"),
            ("VANTAIL_MAIL__PASSWORD", "12345"),
            ("VANTAIL_SERVICE_HOST", "10.1.1.1"),
            ("HOME", "/"),
        ],
    )
    .unwrap();
    assert_eq!(config.listen.http, ["127.0.0.1:2".parse().unwrap(), "127.0.0.1:3".parse().unwrap()]);
    assert!(config.listen.proxy_protocol);
    assert!(config.mail.unwrap().password.is_some());
}

#[test]
fn every_fault_is_told_at_once_with_its_place() {
    let told = faults(
        "[listen]\nhttp = [\"8080\"]\nproxy_protocol = true\n[portal]\nurl = \"gate.test/x\"\nlanguage = \"de\"\n[store]\ndatabse = \"x\"\n[store.redis]\n",
        &[
            ("VANTAIL_STORE__GRACE", "0s"),
            ("VANTAIL_STORE_DATABASE", "x"),
            ("VANTAIL_LISTEN__DROP_STRANGERS", "perhaps"),
        ],
    );
    insta::assert_snapshot!(told, @r#"
    VANTAIL_STORE__GRACE: there is no key `store.grace`; see `vantail config schema` for those there are
    VANTAIL_STORE_DATABASE: table and key are separated by two underscores; write VANTAIL_STORE__DATABASE
    VANTAIL_LISTEN__DROP_STRANGERS: `listen.drop_strangers` cannot be read; write true or false
    /vantail.toml:2: `8080` is not an address to listen on; write an address and a port, like "0.0.0.0:8080" or "[::]:8080"
    /vantail.toml:3: `proxy_protocol` believes trusted proxies only, and there are none, so every connection would be refused; name the proxies in `trusted_proxies`
    /vantail.toml:5: `gate.test/x` is not an address of the portal; write scheme and host, like "https://gate.example.org", without a path
    /vantail.toml:6: `language` cannot be "de"; write "en" or "fr"
    /vantail.toml:8: unknown key `databse`; did you mean `database`?
    /vantail.toml:9: unknown key `redis`; remove it; known here: database
    "#);
}

#[test]
fn a_secret_comes_from_a_file_or_is_written_out_and_never_both() {
    let sms = "[sms]\nprovider = \"http\"\nurl = \"http://127.0.0.1:1/send\"\nheaders = { Authorization = \"Bearer ${secret}\" }\nbody = '{\"to\":\"${to}\",\"text\":\"${text}\"}'\n";
    let config = read(&format!("{sms}secret_file = \"secret\"\n"), &[]).unwrap();
    assert!(config.sms.unwrap().secret.is_some());
    assert!(
        faults(&format!("{sms}secret_file = \"secret\"\n"), &[("VANTAIL_SMS__SECRET", "s3cr3t")])
            .contains("given twice")
    );
    assert!(faults(sms, &[]).contains("secret that is not given"));
    assert!(faults(&format!("{sms}secret_file = \"nowhere\"\n"), &[]).contains("cannot be read"));
}

#[test]
fn log_1_no_message_and_no_page_holds_a_secret() {
    let text = "[store]\ndatabase = \"postgres://gate:MARKED1@db/vantail?sslpassword=MARKED2\"\n\
        [mail]\nurl = \"smtps://gate@mail.test\"\npassword = \"MARKED3\"\nfrom = \"gate@mail.test\"\n\
        [sms]\nprovider = \"http\"\nurl = \"https://sms.test/\"\nheaders = { Authorization = \"Bearer MARKED4\" }\n\
        body = \"${to}${text}${secret}\"\nsecret = \"MARKED5\"\n";
    let config = read(text, &[]).unwrap();
    assert!(!config.shown().to_string().contains("MARKED"), "{}", config.shown());
    let debug = format!("{config:?}");
    for secret in ["MARKED1", "MARKED2", "MARKED3", "MARKED5"] {
        assert!(!debug.contains(secret), "{debug}");
    }
    let told = faults(&format!("{text}unknown = 1\n"), &[("VANTAIL_MAIL__URL", "smtp://gate:MARKED6@mail.test")]);
    assert!(!told.contains("MARKED"), "{told}");
}

#[test]
fn a_configuration_that_is_not_there_is_told_with_what_to_do() {
    let told = Config::load_with(Some(Path::new("/nowhere/vantail.toml")), NONE).unwrap_err();
    assert_eq!(told.len(), 1);
    assert!(told[0].to_string().starts_with("/nowhere/vantail.toml: the configuration cannot be read"), "{}", told[0]);
}

#[test]
fn hdr_4_trusted_proxies_are_networks_that_mean_what_they_say() {
    for network in ["::ffff:10.0.0.0/104", "10.9.0.1/8", "0.0.0.0/0", "front"] {
        assert!(!faults(&format!("[listen]\ntrusted_proxies = [\"{network}\"]\n"), &[]).is_empty(), "{network}");
    }
}

#[test]
fn tls_files_are_looked_at_before_anything_starts() {
    let told = faults(
        "[listen]\nhttps = [{ address = \"127.0.0.1:0\", certificate = \"chain.pem\", key = \"secret\" }]\n",
        &[],
    );
    assert!(told.starts_with("/vantail.toml:2: the certificate"), "{told}");
}
