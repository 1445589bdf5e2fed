//! A login, at the target's end: requests in, responses out, and at last a session (RFC 7143, 6.3).
//!
//! ```text
//!   first request: names, versions           -> refused: a status, and the connection ends
//!      |
//!   [Security] --- CHAP: A -> I, C -> N, R --> proved, or 0201
//!      |     none needed: the initiator may pass it by
//!   [Operational] --- keys ---+
//!      |        <-------------+
//!   T with FullFeature: the caller makes the session, sets its handle, and sends the last response
//! ```

use oarlock_block::Random;

use super::chap::{Accounts, Algorithm, CHALLENGE_LENGTH, CHALLENGE_LENGTH_MAX, Challenge};
use super::login_pdu::{LoginRequest, LoginResponse, LoginStatus, SessionHandle, Stage, VERSION};
use super::name::{NAME_LENGTH_MAX, NodeName};
use super::negotiate::{Negotiation, Parameters};
use super::text::{self, TEXT_LENGTH_MAX};

/// The text of one answer: what an initiator takes in a PDU as long as nothing else is agreed upon (RFC 7143, 13.12).
const ANSWER_LENGTH_MAX: usize = 8192;

/// Requests of one login: a patient initiator needs six.
const REQUESTS_MAX: u32 = 64;

/// Who may come in, as the target's owner says.
pub trait Gate {
    /// Whether there is a target of that name.
    fn has_target(&self, target: &NodeName) -> bool;

    /// What an initiator has to prove. `target`: `None` for a discovery session.
    fn admit(&self, initiator: &NodeName, target: Option<&NodeName>) -> Admission<'_>;

    /// The tag of the portal group that the connection came in by (RFC 7143, 13.9).
    fn portal_group_tag(&self) -> u16;
}

/// What an initiator has to prove.
#[derive(Clone, Copy, Debug)]
pub enum Admission<'a> {
    /// Nothing.
    Open,
    /// Who it is.
    Chap(&'a Accounts),
    /// It may not come in.
    Refused,
}

/// A login that is complete but for the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// Who it is.
    pub initiator: NodeName,
    /// What it wants; `None`: a discovery session.
    pub target: Option<NodeName>,
    /// The CHAP name that was proved.
    pub account: Option<String>,
    /// What was agreed on.
    pub parameters: Parameters,
}

/// What is to be done after a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginStep {
    /// Send it and wait for the next request.
    Answer(LoginResponse, Vec<u8>),
    /// Make the session, set its handle, send it; or [refuse](LoginResponse::refuse) and close.
    Complete(LoginResponse, Vec<u8>, Box<LoggedIn>),
    /// Send it and close; that was the reason.
    Refused(LoginResponse, LoginStatus),
}

impl LoginResponse {
    /// The same response as a refusal.
    #[must_use]
    pub fn refuse(self, status: LoginStatus) -> LoginResponse {
        LoginResponse {
            is_transit: false,
            is_continued: false,
            next: None,
            session_handle: SessionHandle::NEW,
            status: status as u16,
            ..self
        }
    }
}

/// A login under way.
#[derive(Debug, Default)]
pub struct Login {
    first: Option<LoginRequest>,
    requests: u32,
    /// The stage that is reached.
    stage: Option<Stage>,
    text: Vec<u8>,
    initiator: Option<NodeName>,
    /// What it called itself, be that a name or not.
    said_name: Option<String>,
    target: Option<NodeName>,
    is_discovery: bool,
    security: Security,
    account: Option<String>,
    negotiation: Negotiation,
}

#[derive(Debug, Default)]
enum Security {
    /// No method was chosen.
    #[default]
    Open,
    /// CHAP was chosen; the initiator names its algorithms next.
    Method,
    /// The initiator answers next.
    Challenged(Challenge),
    /// There is nothing to prove any more.
    Passed,
}

type Step<T> = Result<T, LoginStatus>;

impl Login {
    /// Takes a request and its text.
    pub fn take(
        &mut self,
        request: &LoginRequest,
        text: &[u8],
        gate: &dyn Gate,
        random: &dyn Random,
    ) -> LoginStep {
        let response = LoginResponse {
            is_transit: false,
            is_continued: false,
            current: request.current,
            next: None,
            session_id: request.session_id,
            session_handle: request.session_handle,
            task_tag: request.task_tag,
            status: LoginStatus::Success as u16,
        };
        match self.step(request, text, gate, random) {
            Err(status) => LoginStep::Refused(response.refuse(status), status),
            Ok(None) => LoginStep::Answer(response, Vec::new()),
            Ok(Some((answer, None))) => LoginStep::Answer(response, answer),
            Ok(Some((answer, Some(next)))) => {
                let response = LoginResponse { is_transit: true, next: Some(next), ..response };
                match (next, self.initiator.clone()) {
                    (Stage::FullFeature, Some(initiator)) => {
                        LoginStep::Complete(response, answer, Box::new(self.logged_in(initiator)))
                    }
                    _ => LoginStep::Answer(response, answer),
                }
            }
        }
    }

    /// What the initiator called itself, for who looks for the reason of a refusal: be it a name or not.
    #[must_use]
    pub fn said_name(&self) -> Option<&str> {
        self.said_name.as_deref()
    }

    fn logged_in(&self, initiator: NodeName) -> LoggedIn {
        LoggedIn {
            initiator,
            target: self.target.clone(),
            account: self.account.clone(),
            parameters: self.negotiation.parameters(),
        }
    }

    /// The answer's text, and the stage that begins with it; `None` where the text goes on.
    fn step(
        &mut self,
        request: &LoginRequest,
        text: &[u8],
        gate: &dyn Gate,
        random: &dyn Random,
    ) -> Step<Option<(Vec<u8>, Option<Stage>)>> {
        let stage = self.check(request)?;
        if self.text.len() + text.len() > TEXT_LENGTH_MAX {
            return Err(LoginStatus::InitiatorError);
        }
        self.text.extend_from_slice(text);
        if request.is_continued {
            return if request.is_transit { Err(LoginStatus::InitiatorError) } else { Ok(None) };
        }
        let whole = std::mem::take(&mut self.text);
        let mut pairs = text::pairs(&whole).map_err(|_| LoginStatus::InitiatorError)?;
        let mut answer = Vec::new();
        if self.initiator.is_none() {
            self.meet(&mut pairs, gate, &mut answer)?;
        }
        let admission = self.admission(gate)?;
        match stage {
            Stage::Security => self.secure(&pairs, admission, random, &mut answer)?,
            Stage::Operational | Stage::FullFeature => self.operate(&pairs, admission, &mut answer)?,
        }
        let next = self.transit(request, stage, admission)?;
        if next == Some(Stage::FullFeature) && stage == Stage::Operational {
            self.negotiation.declare(&mut answer);
        }
        // So many keys that nobody knows are no login.
        if answer.len() > ANSWER_LENGTH_MAX {
            return Err(LoginStatus::InitiatorError);
        }
        Ok(Some((answer, next)))
    }

    /// Whether a request belongs to this login and its stage is possible.
    fn check(&mut self, request: &LoginRequest) -> Step<Stage> {
        self.requests += 1;
        if request.version_min > VERSION {
            return Err(LoginStatus::UnsupportedVersion);
        }
        let (Some(stage), true) = (request.current, self.requests <= REQUESTS_MAX) else {
            return Err(LoginStatus::InitiatorError);
        };
        let first = *self.first.get_or_insert(*request);
        let is_same = (first.session_id, first.session_handle, first.connection_id, first.task_tag)
            == (request.session_id, request.session_handle, request.connection_id, request.task_tag);
        let is_reached = match self.stage {
            None => stage != Stage::FullFeature,
            Some(reached) => stage == reached,
        };
        if !is_same || !is_reached {
            return Err(LoginStatus::InvalidDuringLogin);
        }
        self.stage = Some(stage);
        Ok(stage)
    }

    /// The names in the first request (RFC 7143, 6.3.1). What was understood is taken out of the pairs.
    fn meet(&mut self, pairs: &mut Vec<(&str, &str)>, gate: &dyn Gate, answer: &mut Vec<u8>) -> Step<()> {
        let mut value = |key: &str| {
            let place = pairs.iter().position(|(known, _)| *known == key)?;
            Some(pairs.remove(place).1)
        };
        let initiator = value("InitiatorName").ok_or(LoginStatus::MissingParameter)?;
        self.said_name = Some(initiator.chars().take(NAME_LENGTH_MAX).collect());
        let initiator: NodeName = initiator.parse().map_err(|_| LoginStatus::InitiatorError)?;
        self.is_discovery = match value("SessionType") {
            None | Some("Normal") => false,
            Some("Discovery") => true,
            Some(_) => return Err(LoginStatus::SessionTypeNotSupported),
        };
        let target = value("TargetName");
        if !self.is_discovery {
            let target = target.ok_or(LoginStatus::MissingParameter)?;
            let target: NodeName = target.parse().map_err(|_| LoginStatus::NotFound)?;
            if !gate.has_target(&target) {
                return Err(LoginStatus::NotFound);
            }
            self.target = Some(target);
            text::put(answer, "TargetPortalGroupTag", &gate.portal_group_tag().to_string());
        }
        self.initiator = Some(initiator);
        Ok(())
    }

    fn admission<'gate>(&self, gate: &'gate dyn Gate) -> Step<Admission<'gate>> {
        let initiator = self.initiator.as_ref().ok_or(LoginStatus::MissingParameter)?;
        match gate.admit(initiator, self.target.as_ref()) {
            Admission::Refused => Err(LoginStatus::AuthorizationFailure),
            admission => Ok(admission),
        }
    }

    fn secure(
        &mut self,
        pairs: &[(&str, &str)],
        admission: Admission<'_>,
        random: &dyn Random,
        answer: &mut Vec<u8>,
    ) -> Step<()> {
        let value = |key: &str| pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
        if let Some(methods) = value("AuthMethod") {
            self.choose_method(methods, admission, answer)?;
        }
        if let (Some(algorithms), Security::Method) = (value("CHAP_A"), &self.security) {
            let challenge = challenge(algorithms, random).ok_or(LoginStatus::AuthenticationFailure)?;
            text::put(answer, "CHAP_A", &(challenge.algorithm as u8).to_string());
            text::put(answer, "CHAP_I", &challenge.identifier.to_string());
            text::put(answer, "CHAP_C", &text::to_hexadecimal(&challenge.challenge));
            self.security = Security::Challenged(challenge);
        } else if value("CHAP_R").is_some() || value("CHAP_N").is_some() {
            let (Security::Challenged(challenge), Admission::Chap(accounts)) = (&self.security, admission)
            else {
                return Err(LoginStatus::InitiatorError);
            };
            let initiator = self.initiator.as_ref().ok_or(LoginStatus::MissingParameter)?;
            self.account = Some(prove(challenge, (accounts, initiator), pairs, answer)?);
            self.security = Security::Passed;
        }
        let is_known = |key: &str| key == "AuthMethod" || key.starts_with("CHAP_");
        for (key, value) in pairs.iter().filter(|(key, _)| !is_known(key)) {
            self.offer(key, value, answer)?;
        }
        Ok(())
    }

    /// The first of the initiator's methods that will do (RFC 7143, 13.1).
    fn choose_method(&mut self, methods: &str, admission: Admission<'_>, answer: &mut Vec<u8>) -> Step<()> {
        if !matches!(self.security, Security::Open) {
            return Err(LoginStatus::InitiatorError);
        }
        let has = |method: &str| methods.split(',').any(|offered| offered == method);
        match admission {
            Admission::Chap(_) if has("CHAP") => {
                text::put(answer, "AuthMethod", "CHAP");
                self.security = Security::Method;
            }
            Admission::Open if has("None") => {
                text::put(answer, "AuthMethod", "None");
                self.security = Security::Passed;
            }
            _ => return Err(LoginStatus::AuthenticationFailure),
        }
        Ok(())
    }

    fn operate(
        &mut self,
        pairs: &[(&str, &str)],
        admission: Admission<'_>,
        answer: &mut Vec<u8>,
    ) -> Step<()> {
        if !self.has_passed(admission) {
            return Err(LoginStatus::AuthenticationFailure);
        }
        for (key, value) in pairs {
            self.offer(key, value, answer)?;
        }
        self.negotiation.declare(answer);
        Ok(())
    }

    fn offer(&mut self, key: &str, value: &str, answer: &mut Vec<u8>) -> Step<()> {
        self.negotiation.offer(key, value, answer).map_err(|_| LoginStatus::InitiatorError)
    }

    /// Whether nothing is left to prove.
    fn has_passed(&self, admission: Admission<'_>) -> bool {
        match admission {
            Admission::Open => true,
            Admission::Chap(_) => matches!(self.security, Security::Passed),
            Admission::Refused => false,
        }
    }

    /// The stage that begins, where the initiator is ready for one and so is the target.
    fn transit(
        &mut self,
        request: &LoginRequest,
        stage: Stage,
        admission: Admission<'_>,
    ) -> Step<Option<Stage>> {
        if !request.is_transit {
            return Ok(None);
        }
        let next = request.next.filter(|next| *next > stage).ok_or(LoginStatus::InitiatorError)?;
        if !self.has_passed(admission) {
            // In the middle of CHAP the initiator may be ready before the target is.
            let is_under_way = matches!(self.security, Security::Method | Security::Challenged(_));
            return if is_under_way { Ok(None) } else { Err(LoginStatus::AuthenticationFailure) };
        }
        self.stage = Some(next);
        Ok(Some(next))
    }
}

/// A challenge by the first of the initiator's algorithms that is known.
fn challenge(algorithms: &str, random: &dyn Random) -> Option<Challenge> {
    let algorithm = algorithms.split(',').find_map(|number| Algorithm::from_number(text::number(number)?))?;
    let mut challenge = Vec::with_capacity(CHALLENGE_LENGTH);
    while challenge.len() < CHALLENGE_LENGTH {
        challenge.extend_from_slice(&random.nonce().to_be_bytes());
    }
    let [identifier, ..] = random.bits().to_be_bytes();
    Some(Challenge { algorithm, identifier, challenge })
}

/// The initiator's name, where its response proves it; what it asked in turn is answered (RFC 7143, 12.1.3).
fn prove(
    challenge: &Challenge,
    (accounts, initiator): (&Accounts, &NodeName),
    pairs: &[(&str, &str)],
    answer: &mut Vec<u8>,
) -> Step<String> {
    const FAILURE: LoginStatus = LoginStatus::AuthenticationFailure;
    let value = |key: &str| pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    let name = value("CHAP_N").ok_or(FAILURE)?;
    let response = text::bytes(value("CHAP_R").ok_or(FAILURE)?, CHALLENGE_LENGTH_MAX).ok_or(FAILURE)?;
    let account = challenge.proves(accounts, name, &response).ok_or(FAILURE)?;
    // Who knows one host's secret is not any other for it.
    if !account.is_of(initiator) {
        return Err(FAILURE);
    }
    match (value("CHAP_I"), value("CHAP_C")) {
        (None, None) => {}
        (Some(identifier), Some(asked)) => {
            let identifier = text::number(identifier).and_then(|number| u8::try_from(number).ok());
            let (Some(identifier), Some(asked)) = (identifier, text::bytes(asked, CHALLENGE_LENGTH_MAX))
            else {
                return Err(FAILURE);
            };
            let own = accounts.target.as_ref().ok_or(FAILURE)?;
            // Who sends our own challenge back wants us to answer it for him.
            if asked == challenge.challenge {
                return Err(FAILURE);
            }
            let response = challenge.algorithm.response(identifier, &own.secret, &asked);
            text::put(answer, "CHAP_N", &own.name);
            text::put(answer, "CHAP_R", &text::to_hexadecimal(&response));
        }
        _ => return Err(FAILURE),
    }
    Ok(account.name.clone())
}
