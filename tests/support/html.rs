//! Reads a page as a program would: its forms, its links, its text.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, EndTag, StartTag, Tag, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states,
};

/// What a page holds.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// In order.
    pub forms: Vec<Form>,
    /// The `href` of every link, in order.
    pub links: Vec<String>,
    /// What a person reads, blanks collapsed; without scripts and styles.
    pub text: String,
    /// `content` of `<meta http-equiv="refresh">`.
    pub refresh: Option<String>,
}

/// A form, ready to be filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    /// Where it goes; empty: to the page it is on.
    pub action: String,
    /// `GET` or `POST`.
    pub method: String,
    /// How its fields are written.
    pub enctype: Option<String>,
    /// What would be sent, in order; buttons not.
    pub fields: Vec<(String, String)>,
    /// Buttons that have a name.
    pub buttons: Vec<(String, String)>,
    /// The names of all its fields, boxes that are not ticked too.
    pub names: Vec<String>,
}

#[derive(Default)]
struct Reader(RefCell<Reading>);

#[derive(Default)]
struct Reading {
    document: Document,
    form: Option<Form>,
    /// The text area that is open.
    area: Option<(String, String)>,
    /// The selection that is open, and whether an option was taken already.
    select: Option<(String, bool)>,
    /// Inside `script` or `style`.
    unseen: bool,
}

// === impl Document ===

impl Document {
    /// Reads `html`.
    pub fn read(html: &str) -> Self {
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(html));
        let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
        // Scripts are not run: reading goes on behind each.
        while !input.is_empty() {
            let _paused = tokenizer.feed(&input);
        }
        tokenizer.end();
        let mut document = tokenizer.sink.0.into_inner().document;
        document.text = document.text.split_whitespace().collect::<Vec<_>>().join(" ");
        document
    }

    /// The form that goes to `action`.
    pub fn form_to(&self, action: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.action == action)
    }

    /// The form that has a field called `name`.
    pub fn form_with(&self, name: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.names.iter().any(|own| own == name))
    }
}

// === impl Form ===

impl Form {
    /// The same with `name` filled in. There must be such a field.
    pub fn fill(mut self, name: &str, value: &str) -> Self {
        assert!(self.names.iter().any(|own| own == name), "no field {name} in {self:?}");
        self.fields.retain(|(own, _)| own != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, sent with the button whose name and value these are.
    pub fn press(mut self, name: &str, value: &str) -> Self {
        let button = (name.to_owned(), value.to_owned());
        assert!(self.buttons.contains(&button), "no button {button:?} in {self:?}");
        self.fields.push(button);
        self
    }

    /// What is in `name` now.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

// === impl Reader ===

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut reading = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) => match tag.kind {
                StartTag => return reading.begin(&tag),
                EndTag => reading.end(&tag.name),
            },
            Token::CharacterTokens(text) => reading.text(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

// === impl Reading ===

impl Reading {
    fn begin(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        // Tags part words, as far as a reader is concerned.
        self.document.text.push(' ');
        match &*tag.name {
            "form" => self.form = Some(form(tag)),
            "input" => self.input(tag),
            "button" => self.button(tag),
            "select" => self.select = attribute(tag, "name").map(|name| (name, false)),
            "option" => self.option(tag),
            "a" => self.document.links.extend(attribute(tag, "href")),
            "meta" if attribute(tag, "http-equiv").is_some_and(|kind| kind.eq_ignore_ascii_case("refresh")) => {
                self.document.refresh = attribute(tag, "content");
            }
            "textarea" => {
                self.area = attribute(tag, "name").map(|name| (name, String::new()));
                return TokenSinkResult::RawData(states::RawKind::Rcdata);
            }
            "title" => return TokenSinkResult::RawData(states::RawKind::Rcdata),
            "script" | "style" => {
                self.unseen = true;
                return TokenSinkResult::RawData(states::RawKind::Rawtext);
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }

    fn end(&mut self, name: &str) {
        self.document.text.push(' ');
        match name {
            "form" => self.document.forms.extend(self.form.take()),
            "textarea" => {
                if let Some((name, value)) = self.area.take() {
                    self.field(name, Some(value));
                }
            }
            "select" => self.select = None,
            "script" | "style" => self.unseen = false,
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some((_, value)) = &mut self.area {
            value.push_str(text);
        } else if !self.unseen {
            self.document.text.push_str(text);
        }
    }

    fn input(&mut self, tag: &Tag) {
        let Some(name) = attribute(tag, "name") else { return };
        let value = attribute(tag, "value");
        match attribute(tag, "type").as_deref() {
            Some("submit") => self.push_button(name, value),
            Some("checkbox" | "radio") => {
                let ticked = attribute(tag, "checked").is_some();
                self.field(name, ticked.then(|| value.unwrap_or_else(|| "on".to_owned())));
            }
            _ => self.field(name, Some(value.unwrap_or_default())),
        }
    }

    fn button(&mut self, tag: &Tag) {
        if let Some(name) = attribute(tag, "name") {
            self.push_button(name, attribute(tag, "value"));
        }
    }

    fn push_button(&mut self, name: String, value: Option<String>) {
        if let Some(form) = &mut self.form {
            form.buttons.push((name, value.unwrap_or_default()));
        }
    }

    /// The first option counts, unless another is selected.
    fn option(&mut self, tag: &Tag) {
        let Some((name, taken)) = self.select.clone() else { return };
        let selected = attribute(tag, "selected").is_some();
        if taken && !selected {
            return;
        }
        if let (true, Some(form)) = (taken, &mut self.form) {
            form.fields.retain(|(own, _)| *own != name);
        }
        self.select = Some((name.clone(), true));
        self.field(name, Some(attribute(tag, "value").unwrap_or_default()));
    }

    /// A field, with what it would send.
    fn field(&mut self, name: String, value: Option<String>) {
        if let Some(form) = &mut self.form {
            form.names.push(name.clone());
            form.fields.extend(value.map(|value| (name, value)));
        }
    }
}

fn form(tag: &Tag) -> Form {
    Form {
        action: attribute(tag, "action").unwrap_or_default(),
        method: attribute(tag, "method").unwrap_or_else(|| "get".to_owned()).to_ascii_uppercase(),
        enctype: attribute(tag, "enctype"),
        ..Form::default()
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| attribute.value.to_string())
}
