//! Names of viewers that claim to belong to the team: "Noura (HOST) ✅".
//!
//! The pages mark team members by a badge of their own beside the name. A viewer whose name imitates that would be believed, so the
//! name is refused; it is not changed, because nobody would know why. Words are compared as a reader sees them: without case, accents
//! and invisible characters, and with letters of other scripts that look the same.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::{Name, UserId, blocklist};

/// Check marks and shields. People read them as "verified".
const BADGES: &str = "✅✓✔☑✓🗸🗹𐄂⍻√🛡⚔";

/// Words that name a role wherever they are in a name: no first or family name that we know is among them.
const ROLES: &str = "host cohost hostess moderator moderators moderation admin admins administrator administrators sysadmin staff \
    producer produser livesouk المقدم مقدم مقدمه المقدمه المضيف المضيفه المشرف المشرفه المشرفون الاداره الادمن ادمن المدير المديره \
    مودريتور admin moderator";
/// The same, in several words.
const ROLE_PHRASES: &str = "pembawa acara|tim resmi|akun resmi|layanan pelanggan|customer service|customer support|customer care|\
    official account|official shop|official store|منسق البيع|خدمه العملاء|فريق العمل|الحساب الرسمي|المتجر الرسمي";
/// Words that are also names or harmless words. They claim a role only if they are set apart: in brackets, after a bar, alone.
const SET_APART: &str = "mod mods team owner support official verified seller analyst crew tim resmi penjual analis pemilik dukungan \
    terverifikasi staf panitia مشرف مشرفه فريق الفريق رسمي الرسمي دعم الدعم موثق البائع بائع محلل المحلل مدير مديره صاحب المتجر";
/// Of these, the ones that are people's first names when they are the whole name.
const FIRST_NAMES: [&str; 2] = ["tim", "مشرف"];

struct Words {
    roles: HashSet<String>,
    phrases: Vec<Vec<String>>,
    set_apart: HashSet<String>,
    first_names: HashSet<String>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| Words {
    roles: words(ROLES).into_iter().collect(),
    phrases: ROLE_PHRASES.split('|').map(words).collect(),
    set_apart: words(SET_APART).into_iter().collect(),
    first_names: FIRST_NAMES.iter().flat_map(|name| words(name)).collect(),
});

/// Would a reader think that the user with this name is a member of the team?
pub fn claims_role(name: &str) -> bool {
    if name.chars().any(|c| BADGES.contains(c)) {
        return true;
    }
    let all = words(name);
    let has_phrase = |phrase: &Vec<String>| all.windows(phrase.len()).any(|some| some == phrase.as_slice());
    if all.iter().any(|word| WORDS.roles.contains(word)) || WORDS.phrases.iter().any(has_phrase) {
        return true;
    }
    let parts: Vec<Vec<String>> = name.split(is_separator).map(words).filter(|part| !part.is_empty()).collect();
    let is_claim = |part: &Vec<String>| part.iter().all(|word| WORDS.set_apart.contains(word));
    match parts.as_slice() {
        [only] if only.len() == 1 => is_claim(only) && !WORDS.first_names.contains(&only[0]),
        parts => parts.iter().any(is_claim),
    }
}

/// Would a reader take these two names for the same? Letters that look alike are the same, and signs and case do not count.
pub fn reads_like(name: &str, other: &str) -> bool {
    as_read(name) == as_read(other)
}

/// One text for all names that a reader reads as the same. A name without letters remains as it is.
fn as_read(name: &str) -> String {
    let read = words(name).concat();
    if read.is_empty() { name.to_owned() } else { read }
}

/// The names of the staff, and who has them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StaffNames(HashMap<String, Vec<UserId>>);

impl StaffNames {
    pub fn new(staff: impl IntoIterator<Item = (UserId, Name)>) -> Self {
        let mut names: HashMap<String, Vec<UserId>> = HashMap::new();
        for (user, name) in staff {
            names.entry(as_read(name.as_str())).or_default().push(user);
        }
        Self(names)
    }

    /// Would a reader take this user for a member of the staff whose name reads the same?
    pub fn would_confuse(&self, user: &UserId, name: &str) -> bool {
        !self.0.is_empty() && self.0.get(&as_read(name)).is_some_and(|bearers| !bearers.contains(user))
    }
}

/// Signs that set a part of a name apart. A hyphen or apostrophe is a part of many names.
fn is_separator(c: char) -> bool {
    "()[]{}<>|/\\*~•·:;=«»“”„\"【】〔〕《》「」『』（）［］｛｝｜★☆✦✧♛♚👑🔰⭐🌟❘❙–—_+#@".contains(c)
}

/// The words of a text as a reader sees them. Letters that stand alone are one word: `H O S T`.
fn words(text: &str) -> Vec<String> {
    let shapes: String = text.chars().map(capital_shape).collect();
    let seen: String = blocklist::fold(&shapes).chars().map(seen_letter).collect();
    let mut words: Vec<String> = Vec::new();
    let mut is_spelling = false;
    for word in seen.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let is_letter = word.chars().count() == 1;
        match words.last_mut() {
            Some(last) if is_spelling && is_letter => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
        is_spelling = is_letter;
    }
    words
}

/// Capitals of Greek that look like another Latin letter than their small forms do.
fn capital_shape(c: char) -> char {
    match c {
        'Η' => 'h',
        'Ν' => 'n',
        'Υ' => 'y',
        c => c,
    }
}

/// The Latin letter that looks like this one. `l`, `1` and `i` are one letter: people cannot tell them apart in many fonts.
fn seen_letter(c: char) -> char {
    let from_a = |first: u32| char::from_u32(u32::from(c) - first + u32::from('a')).map_or(c, seen_letter);
    match c {
        'а' | 'ɑ' | 'α' | 'ᴀ' | '4' | '@' => 'a',
        'в' | 'ʙ' | 'β' | 'ь' | '8' => 'b',
        'с' | 'ϲ' | 'ᴄ' => 'c',
        'ԁ' | 'ᴅ' => 'd',
        'е' | 'є' | 'ᴇ' | 'ε' | '3' => 'e',
        'ꜰ' => 'f',
        'ɡ' | 'ɢ' => 'g',
        'һ' | 'н' | 'ʜ' => 'h',
        'l' | '1' | 'і' | 'ι' | 'ɩ' | 'ɪ' | 'ӏ' | 'ʟ' => 'i',
        'к' | 'κ' | 'ᴋ' => 'k',
        'м' | 'ᴍ' => 'm',
        'п' | 'ո' | 'η' | 'ɴ' => 'n',
        'о' | 'ο' | 'օ' | 'ᴏ' | 'σ' | '0' => 'o',
        'р' | 'ρ' | 'ᴘ' => 'p',
        'г' | 'ʀ' => 'r',
        'ѕ' | 'ꜱ' | '$' | '5' => 's',
        'т' | 'τ' | 'ᴛ' | '7' => 't',
        'υ' | 'ս' | 'ᴜ' => 'u',
        'ѵ' | 'ν' | 'ᴠ' => 'v',
        'ѡ' | 'ω' | 'ᴡ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'ү' | 'ʏ' => 'y',
        '\u{1f150}'..='\u{1f169}' => from_a(0x1f150),
        '\u{1f170}'..='\u{1f189}' => from_a(0x1f170),
        '\u{1f1e6}'..='\u{1f1ff}' => from_a(0x1f1e6),
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_that_imitates_the_team_is_found() {
        for name in [
            "Noura (HOST) ✅",
            "Noura ✔️",
            "☑ Sara",
            "Host",
            "HOST Noura",
            "h o s t",
            "H.O.S.T.",
            "Noura | Host",
            "Noura|HOST",
            "Ηοst Noura",
            "НОЅТ",
            "H0ST",
            "ʜᴏꜱᴛ",
            "Ｈｏｓｔ",
            "Ⓗⓞⓢⓣ",
            "🅷🅾🆂🆃",
            "𝐇𝐨𝐬𝐭",
            "h\u{200b}ost",
            "hóst",
            "Admin",
            "adm1n",
            "Admln",
            "ΑDMIN",
            "Moderator",
            "M0derat0r",
            "Sara [mod]",
            "(Team) Sara",
            "Team",
            "Official",
            "Shop - Official Store",
            "Livesouk",
            "Customer Support",
            "المضيف نورة",
            "نورة (مشرف)",
            "المشرف",
            "نورة | الفريق",
            "الإدارة",
            "مقدّم البث",
            "خدمة العملاء",
            "Pembawa Acara",
            "Sari (Tim)",
            "Sari | Resmi",
            "Tim Resmi",
            "Produser",
            "🛡️ Omar",
            "Sara — Staff",
        ] {
            assert!(claims_role(name), "{name}");
        }
    }

    #[test]
    fn name_that_reads_like_another_is_the_same_name() {
        for (name, other, same) in [
            ("Noura", "noura", true),
            ("N o u r a", "Noura", true),
            ("Nоurа ", "Noura", true),
            ("Noura ✿", "Noura", true),
            ("نورة", "نوره", true),
            ("Noura S", "Noura", false),
            ("Nora", "Noura", false),
            ("🌟", "🌙", false),
            ("🌟", "🌟", true),
        ] {
            assert_eq!(reads_like(name, other), same, "{name} and {other}");
        }
    }

    #[test]
    fn only_the_staff_themselves_have_their_names() {
        let (noura, eve) = (UserId::parse("noura").unwrap(), UserId::parse("eve").unwrap());
        let names = StaffNames::new([(noura.clone(), Name::parse("Noura").unwrap())]);
        for (user, name, confuses) in
            [(&eve, "Nоurа ✿", true), (&noura, "noura", false), (&eve, "Noura S", false), (&eve, "🌟", false)]
        {
            assert_eq!(names.would_confuse(user, name), confuses, "{user} as {name}");
        }
        assert!(!StaffNames::default().would_confuse(&eve, "Noura"));
    }

    #[test]
    fn names_of_people_are_left_alone() {
        for name in [
            "Noura",
            "Tim",
            "Tim Cook",
            "Jan-Tim",
            "Ghost",
            "Hostetler",
            "Modesta",
            "Admir",
            "Adminah",
            "Teamo",
            "Owen",
            "Sara 🌟",
            "نورة",
            "مشرف",
            "برويز مشرف",
            "فاطمة الزهراء",
            "محمد بن سلمان",
            "Siti Nurhaliza",
            "Resmiati",
            "Dewi Resmi Sari",
            "Иван",
            "Наталья",
            "Νίκος",
            "Anne-Marie O’Brien",
            "J. R. R. Tolkien",
            "A B",
            "Ann (Riyadh)",
            "Sarah | 29",
            "Supporter of Sara",
            "李小龙",
            "やまだ",
            "สมชาย",
            "Nguyễn Thị Ánh",
            "🇸🇦 Noura",
            "x_Omar_x",
            "Salah 10",
        ] {
            assert!(!claims_role(name), "{name}");
        }
    }
}
