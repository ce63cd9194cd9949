//! Where the value of a setting comes from: its flag, its environment variable, or, for a secret, a file.
//!
//! clap could read the variables itself, but it takes `NAME=` as a value, and that is what compose files write for a variable that
//! is not set (`${NAME:-}`). So the command line is read twice: the first time only to see what was given, the second
//! time with every variable and file written out as its flag. This holds for every setting, without a list of names.
//!
//! If both are set, the flag is used and not the variable. An empty value counts as not set. White space at either end of a value is
//! ignored, and lists may have empty items. A secret (a setting whose variable is hidden) has a second flag, `--…-file`, and a second variable, `…_FILE`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::builder::{OsStringValueParser, Resettable};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use super::Cli;

/// A file with a secret is small. A larger one was named by mistake, and reading it might never end (`/dev/zero`).
const SECRET_FILE_BYTES_MAX: usize = 64 * 1024;
/// The distance between two flags in the help, with room for the `--…-file` of the first.
const HELP_STEP: usize = 2;

/// Secrets that move money: every user of a machine can see the arguments of its processes.
pub(super) const NEVER_ARGUMENTS: [&str; 2] = ["stripe-key", "payment-adapter-key"];

/// Reads an environment variable: its value, or nothing if it is not set.
pub type ReadVariable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Every command and flag, for the help, the manual and the completions.
pub fn command() -> Command {
    Cli::command().mut_subcommands(with_secret_files)
}

/// Parses the command line `args`, which begins with the name of the program. The error is a message for the operator, or the
/// help that was asked for.
pub fn parse(args: Vec<OsString>, variable: ReadVariable<'_>) -> Result<Cli, Error> {
    let known = command();
    let given = match known.clone().mut_subcommands(only_what_is_given).try_get_matches_from(&args) {
        Ok(given) => given,
        // The help also names the variables.
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return Err(help(known, &args, error)),
        Err(error) => return Err(error),
    };
    let mut all: Vec<OsString> = args.first().cloned().into_iter().collect();
    let mut settings = Vec::new();
    if let Some((name, given)) = given.subcommand()
        && let Some(subcommand) = known.find_subcommand(name)
    {
        all.push(name.into());
        for arg in subcommand.get_arguments().filter(|arg| !is_secret_file(subcommand, arg)) {
            let setting = Setting::find(arg, given, variable).map_err(|why| {
                let mut command = known.clone();
                command.error(ErrorKind::ValueValidation, why)
            })?;
            all.extend(setting.to_args(arg));
            settings.push((arg.clone(), setting));
        }
    }
    let parsed = known.mut_subcommands(without_variables).try_get_matches_from(all);
    parsed.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| explain(error, &settings))
}

/// Adds `--…-file` after each secret.
fn with_secret_files(command: Command) -> Command {
    let mut position = 0;
    let command = command.mut_args(|arg| {
        position += HELP_STEP;
        // Otherwise `--drain-seconds -1` would be an unknown flag `-1`.
        let numbers = arg.get_action().takes_values() && !arg.is_positional();
        arg.display_order(position).allow_negative_numbers(numbers)
    });
    let files: Vec<Arg> = command.get_arguments().filter(|arg| is_secret(arg)).filter_map(secret_file).collect();
    command.args(files)
}

fn is_secret(arg: &Arg) -> bool {
    arg.is_hide_env_values_set() && arg.get_env().is_some()
}

fn is_secret_file(command: &Command, arg: &Arg) -> bool {
    command.get_arguments().any(|secret| is_secret(secret) && file_id(secret) == arg.get_id().as_str())
}

fn file_id(secret: &Arg) -> String {
    format!("{}_file", secret.get_id())
}

fn secret_file(secret: &Arg) -> Option<Arg> {
    let (long, variable) = (secret.get_long()?, secret.get_env()?.to_str()?);
    let file = Arg::new(file_id(secret))
        .long(format!("{long}-file"))
        .env(format!("{variable}_FILE"))
        .value_name("FILE")
        .value_parser(OsStringValueParser::new())
        .allow_negative_numbers(true)
        .display_order(secret.get_display_order() + 1)
        .help(format!("File with the value of --{long}, as secret managers provide it"));
    Some(file)
}

/// The same command with nothing required and every value accepted as it is.
fn only_what_is_given(command: Command) -> Command {
    without_variables(command).mut_args(|arg| {
        let plain = arg.required(false);
        if plain.get_action().takes_values() { plain.value_parser(OsStringValueParser::new()) } else { plain }
    })
}

fn without_variables(command: Command) -> Command {
    command.mut_args(|arg| arg.env(Resettable::Reset))
}

fn help(command: Command, args: &[OsString], otherwise: Error) -> Error {
    command.try_get_matches_from(args).err().filter(|error| error.kind() == ErrorKind::DisplayHelp).unwrap_or(otherwise)
}

/// The values of one setting, and the variable that they come from.
struct Setting {
    values: Vec<OsString>,
    /// The environment variable that set it, or that named its file.
    variable: Option<String>,
}

impl Setting {
    fn find(arg: &Arg, given: &ArgMatches, variable: ReadVariable<'_>) -> Result<Self, String> {
        let flag = flag_values(arg, given);
        let Some(name) = arg.get_env().and_then(OsStr::to_str) else {
            return Ok(Self { values: flag, variable: None });
        };
        let flag: Vec<OsString> = flag.iter().flat_map(|value| items(arg, value, false)).collect();
        let given_value = variable(name);
        let value = given_value.as_ref().map(|value| items(arg, value, true)).unwrap_or_default();
        let long = arg.get_long().unwrap_or_default();
        // A secret of nothing but separators is a mistake. Nothing at all is a variable that was left out.
        let is_blank = given_value.is_none_or(|value| trimmed(value).is_empty());
        if is_secret(arg) && value.is_empty() && !is_blank {
            return Err(format!("--{long}: {name} is set, but its value is missing"));
        }
        let (mut file_flag, mut file_value) = (None, None);
        let file_name = format!("{name}_FILE");
        if is_secret(arg) {
            let named = given.get_raw(&file_id(arg)).into_iter().flatten().next();
            file_flag = named.filter(|path| !path.is_empty()).map(OsStr::to_owned);
            file_value = variable(&file_name).map(trimmed).filter(|path| !path.is_empty());
        }
        match (flag.is_empty(), file_flag, value.is_empty(), file_value) {
            (false, Some(_), ..) => Err(format!("--{long} and --{long}-file were both given: remove one of them")),
            (false, None, ..) if NEVER_ARGUMENTS.contains(&long) => {
                Err(format!("--{long} is not taken as an argument: put it into a file (--{long}-file) or into {name}"))
            }
            (false, None, ..) => Ok(Self { values: flag, variable: None }),
            (true, Some(path), ..) => Ok(Self { values: read_secret(arg, &path)?, variable: None }),
            (true, None, false, Some(_)) => Err(format!("{name} and {file_name} are both set: remove one of them")),
            (true, None, false, None) => Ok(Self { values: value, variable: Some(name.to_owned()) }),
            (true, None, true, Some(path)) => Ok(Self { values: read_secret(arg, &path)?, variable: Some(file_name) }),
            (true, None, true, None) => Ok(Self { values: Vec::new(), variable: None }),
        }
    }

    /// The setting as the command line would have it.
    fn to_args(&self, arg: &Arg) -> Vec<OsString> {
        let Some(long) = arg.get_long() else { return self.values.clone() };
        let mut args = Vec::new();
        for value in &self.values {
            let mut text = OsString::from(format!("--{long}"));
            if arg.get_action().takes_values() {
                text.push("=");
                text.push(value);
            }
            args.push(text);
        }
        args
    }
}

/// What the command line itself says about a setting. A flag without a value is the text `true`.
fn flag_values(arg: &Arg, given: &ArgMatches) -> Vec<OsString> {
    let id = arg.get_id().as_str();
    if given.value_source(id) != Some(ValueSource::CommandLine) {
        return Vec::new();
    }
    given.get_raw(id).into_iter().flatten().map(OsStr::to_owned).collect()
}

/// The items of a list, or the one value. White space around an item never counts; around a single value only if it comes
/// from a variable or a file, because a shell passes on exactly what was typed.
fn items(arg: &Arg, text: &OsStr, trim: bool) -> Vec<OsString> {
    let Some(text) = text.to_str() else { return vec![text.to_owned()] };
    let items: Vec<&str> = match arg.get_value_delimiter() {
        Some(delimiter) => text.split([delimiter, '\n']).map(str::trim).collect(),
        None if trim => vec![text.trim()],
        None => vec![text],
    };
    items.into_iter().filter(|item| !item.is_empty()).map(OsString::from).collect()
}

fn trimmed(text: OsString) -> OsString {
    text.to_str().map(|text| text.trim().into()).unwrap_or(text)
}

fn read_secret(arg: &Arg, path: &OsStr) -> Result<Vec<OsString>, String> {
    let path = Path::new(path);
    let (flag, variable) =
        (arg.get_long().unwrap_or_default(), arg.get_env().and_then(OsStr::to_str).unwrap_or_default());
    let fail = |why: &str| format!("--{flag}-file ({variable}_FILE) cannot be used: {}: {why}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SECRET_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| fail(&error.to_string()))?;
    if bytes.len() > SECRET_FILE_BYTES_MAX {
        return Err(fail("it is larger than 64 KiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| fail("it is not text in UTF-8"))?;
    let values = items(arg, OsStr::new(&text), true);
    if values.is_empty() { Err(fail("it is empty")) } else { Ok(values) }
}

/// Adds the variable to an error about a value that came from one, and removes the value of a secret from the message.
fn explain(mut error: Error, settings: &[(Arg, Setting)]) -> Error {
    let named: Vec<String> = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(several)) => several.clone(),
        _ => return error,
    };
    let is_named = |arg: &Arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        named.iter().any(|name| name.split([' ', '=']).next() == long.as_deref())
    };
    let mut tips = Vec::new();
    for (arg, setting) in settings.iter().filter(|(arg, _)| is_named(arg)) {
        let long = arg.get_long().unwrap_or_default();
        match (&setting.variable, arg.get_env().and_then(OsStr::to_str)) {
            (Some(variable), _) => tips.push(format!("--{long} was set by the environment variable {variable}")),
            (None, Some(variable)) if setting.values.is_empty() => {
                tips.push(format!("--{long} is also the environment variable {variable}"));
            }
            _ => {}
        }
        if is_secret(arg) {
            error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
        }
    }
    if !tips.is_empty() {
        let tips = tips.into_iter().map(Into::into).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}
