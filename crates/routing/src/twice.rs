//! Does one person get a message more than once in some combination of old and new?
//!
//! This is the one question that reachability does not answer: two ways may need one place to be old and new at once. So
//! the places that choose between ways to this person are tried out in every combination. They are few, since only places
//! on the way to one person count, and of them only those whose old and new both lead there: whatever leads elsewhere can
//! be left as it is without a message less.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::Witness;
use crate::graph::{Delivery, Graph, NONE};

/// So many combinations are tried out for an address and a person: ten places that choose between two.
const COMBINATIONS_MAX: usize = 1024;

/// So many places are looked at for an address and a person, over all combinations that are tried out. It is enough for all of
/// them where the message can come to 256 places; a person is reached from a dozen.
const PLACES_MAX: usize = 1 << 18;

/// So many are looked at in a whole check: seconds. A directory may be one large knot.
const PLACES_IN_ALL_MAX: usize = 1 << 22;

/// How much of a check's trying out is left.
pub(crate) struct Effort {
    places_left: usize,
}

impl Effort {
    pub(crate) fn new() -> Self {
        Self { places_left: PLACES_IN_ALL_MAX }
    }
}

/// Two ways of a message to one person, each as its alternatives.
pub(crate) struct Twice {
    pub(crate) ways: [Vec<u32>; 2],
    /// Was it found in a combination? Else there are too many to try out all, and none of those tried shows it.
    pub(crate) is_certain: bool,
}

struct Choice {
    alternative: u32,
    /// Does its site go on with it in one go?
    expands: bool,
    /// May a message become two here?
    parts: bool,
    delivers: bool,
    children: Vec<u32>,
}

/// The part of the graph from which mail comes to one person.
pub(crate) struct Part {
    /// The choices of each place that lead to this person. None is empty.
    choices: Vec<Vec<Choice>>,
    /// The places and choices that lead to each place.
    leading: Vec<Vec<(u32, u32)>>,
    /// How one comes from each place to the nearest where a message may become two: by which choice and to where. None: to none.
    near: Vec<Option<(u32, GoesOn)>>,
    /// How mail comes from each place to the person in whichever combination: by which alternative and to where.
    towards: Vec<(u32, GoesOn)>,
}

impl Part {
    /// Of these places: all from which mail comes to whoever has these deliveries. `position` tells where among them one is,
    /// `parting` by which alternatives a message may become two.
    pub(crate) fn of(
        graph: &Graph<'_>,
        places: &[u32],
        position: &[u32],
        deliveries: &[Delivery],
        parting: &[u32],
    ) -> Self {
        let mut by_alternative: HashMap<u32, Choice> = HashMap::new();
        let choice = |alternative| Choice {
            alternative,
            expands: graph.alternative(alternative).expands,
            parts: false,
            delivers: false,
            children: Vec::new(),
        };
        for delivery in deliveries {
            let alternative = delivery.alternative;
            by_alternative.entry(alternative).or_insert_with(|| choice(alternative)).delivers = true;
        }
        for (place, node) in places.iter().enumerate() {
            for leading in graph.leading_to(*node) {
                let choice = by_alternative.entry(*leading).or_insert_with(|| choice(*leading));
                choice.children.push(place as u32);
            }
        }
        for alternative in parting {
            if let Some(choice) = by_alternative.get_mut(alternative) {
                choice.parts = true;
            }
        }
        let mut sorted: Vec<Choice> = by_alternative.into_values().collect();
        sorted.sort_unstable_by_key(|choice| choice.alternative);
        let mut part = Self {
            choices: places.iter().map(|_| Vec::new()).collect(),
            leading: places.iter().map(|_| Vec::new()).collect(),
            near: vec![None; places.len()],
            towards: vec![(NONE, None); places.len()],
        };
        let (mut parting_places, mut delivering) = (VecDeque::new(), VecDeque::new());
        for choice in sorted {
            let place = position[graph.alternative(choice.alternative).node as usize];
            let choices = &mut part.choices[place as usize];
            for child in &choice.children {
                part.leading[*child as usize].push((place, choices.len() as u32));
            }
            let number = choices.len() as u32;
            if choice.parts && part.near[place as usize].is_none() {
                part.near[place as usize] = Some((number, None));
                parting_places.push_back(place);
            }
            if choice.delivers && part.towards[place as usize].0 == NONE {
                part.towards[place as usize] = (choice.alternative, None);
                delivering.push_back(place);
            }
            choices.push(choice);
        }
        while let Some(place) = parting_places.pop_front() {
            for (before, number) in &part.leading[place as usize] {
                if part.near[*before as usize].is_none() {
                    part.near[*before as usize] = Some((*number, Some(place)));
                    parting_places.push_back(*before);
                }
            }
        }
        while let Some(place) = delivering.pop_front() {
            for (before, number) in &part.leading[place as usize] {
                if part.towards[*before as usize].0 == NONE {
                    let choice = &part.choices[*before as usize][*number as usize];
                    part.towards[*before as usize] = (choice.alternative, Some(place));
                    delivering.push_back(*before);
                }
            }
        }
        part
    }

    /// Two ways of one message from this place, if there are.
    pub(crate) fn twice_from(&self, start: u32, effort: &mut Effort) -> Option<Twice> {
        self.near[start as usize]?;
        let allowed = PLACES_MAX.min(effort.places_left);
        let mut looked_at = self.choices.len();
        let tried = if looked_at > allowed { Tried::TooMany } else { self.try_from(start, allowed, &mut looked_at) };
        effort.places_left -= looked_at.min(allowed);
        match tried {
            Tried::Found(ways) => Some(Twice { ways, is_certain: true }),
            Tried::None => None,
            Tried::TooMany => self.ways_of_any_combination(start),
        }
    }

    /// Tries out every combination, or as many as may be.
    fn try_from(&self, start: u32, allowed: usize, looked_at: &mut usize) -> Tried {
        let mut trial = Trial::new(self, start);
        let open: Vec<u32> =
            trial.places.iter().copied().filter(|place| self.choices[*place as usize].len() > 1).collect();
        for _ in 0..COMBINATIONS_MAX {
            if let Some(ways) = trial.ways_of_one_combination(allowed, looked_at) {
                return Tried::Found(ways);
            }
            if *looked_at > allowed {
                return Tried::TooMany;
            }
            // The next combination, as an odometer counts.
            let next = open.iter().find(|place| {
                let chosen = &mut trial.chosen[**place as usize];
                *chosen += 1;
                let is_at_end = *chosen as usize == self.choices[**place as usize].len();
                if is_at_end {
                    *chosen = 0;
                }
                !is_at_end
            });
            if next.is_none() {
                return Tried::None;
            }
        }
        Tried::TooMany
    }

    /// Two ways that may need one place to be old and new at once.
    fn ways_of_any_combination(&self, start: u32) -> Option<Twice> {
        let mut way = Vec::new();
        let mut at = start;
        let choice = loop {
            let (number, next) = self.near[at as usize]?;
            let choice = &self.choices[at as usize][number as usize];
            way.push(choice.alternative);
            if way.len() > Witness::HOPS_MAX {
                return Some(Twice { ways: [way.clone(), way], is_certain: false });
            }
            match next {
                Some(next) => at = next,
                None => break choice,
            }
        };
        let going_on = choice.delivers.then_some(None).into_iter().chain(choice.children.iter().copied().map(Some));
        let mut ways = going_on.take(2).map(|mut goes_on| {
            let mut whole = way.clone();
            while let Some(place) = goes_on {
                let (alternative, next) = self.towards[place as usize];
                whole.push(alternative);
                goes_on = next;
            }
            whole
        });
        Some(Twice { ways: [ways.next()?, ways.next()?], is_certain: false })
    }
}

/// What came of trying out.
enum Tried {
    Found([Vec<u32>; 2]),
    None,
    /// Of those tried none shows it, and there are more.
    TooMany,
}

/// The combinations of what can be come to from one place.
struct Trial<'p> {
    part: &'p Part,
    start: u32,
    /// All places that can be come to, in order of distance.
    places: Vec<u32>,
    is_come_to: Vec<bool>,
    /// How mail comes from each place to the person in the combination at hand, and in which that was found out.
    towards: Vec<(u32, GoesOn)>,
    combination: u32,
    /// Which choice each place makes in the combination at hand.
    chosen: Vec<u32>,
}

/// Where a message goes on: it is in the mailbox, or is sent to this place.
type GoesOn = Option<u32>;

impl<'p> Trial<'p> {
    fn new(part: &'p Part, start: u32) -> Self {
        let mut is_come_to = vec![false; part.choices.len()];
        is_come_to[start as usize] = true;
        let mut places = vec![start];
        let mut at = 0;
        while at < places.len() {
            let place = places[at];
            at += 1;
            for choice in &part.choices[place as usize] {
                let is_new = |child: &&u32| !std::mem::replace(&mut is_come_to[**child as usize], true);
                places.extend(choice.children.iter().filter(is_new));
            }
        }
        Self {
            part,
            start,
            places,
            is_come_to,
            chosen: vec![0; part.choices.len()],
            towards: vec![(0, None); part.choices.len()],
            combination: 0,
        }
    }

    fn choice(&self, place: u32) -> &Choice {
        &self.part.choices[place as usize][self.chosen[place as usize] as usize]
    }

    /// How mail comes from a place to the person in this combination: what the next place is, or that it is there. None: it
    /// does not.
    fn towards(&self, place: u32) -> Option<GoesOn> {
        let (combination, goes_on) = self.towards[place as usize];
        (combination == self.combination).then_some(goes_on)
    }

    fn find_towards(&mut self) {
        self.combination += 1;
        let mut queue = VecDeque::new();
        for place in &self.places {
            if self.choice(*place).delivers {
                self.towards[*place as usize] = (self.combination, None);
                queue.push_back(*place);
            }
        }
        while let Some(place) = queue.pop_front() {
            for (before, choice) in &self.part.leading[place as usize] {
                let is_taken = self.chosen[*before as usize] == *choice && self.is_come_to[*before as usize];
                if is_taken && self.towards(*before).is_none() {
                    self.towards[*before as usize] = (self.combination, Some(place));
                    queue.push_back(*before);
                }
            }
        }
    }

    /// Follows the one message until it becomes two that both come to the person.
    fn ways_of_one_combination(&mut self, allowed: usize, looked_at: &mut usize) -> Option<[Vec<u32>; 2]> {
        self.find_towards();
        *looked_at += self.places.len();
        let mut way: Vec<u32> = Vec::new();
        let mut place = self.start;
        // A message that stays one and comes to its goal passes no place twice.
        for _ in 0..self.places.len() {
            if self.towards(place).is_none() || *looked_at > allowed {
                return None;
            }
            // What the site makes of it in one go: each recipient once.
            let mut reached = vec![(place, usize::MAX)];
            let mut seen = HashSet::from([place]);
            let mut going_on: Vec<(usize, GoesOn)> = Vec::new();
            let mut at = 0;
            while at < reached.len() {
                let choice = self.choice(reached[at].0);
                let children = choice.children.iter().copied().filter(|child| self.towards(*child).is_some());
                if choice.expands {
                    reached.extend(children.filter(|child| seen.insert(*child)).map(|child| (child, at)));
                } else {
                    going_on.extend(choice.delivers.then_some((at, None)));
                    going_on.extend(children.map(|child| (at, Some(child))));
                }
                at += 1;
            }
            *looked_at += reached.len();
            let way_to = |at: usize| {
                let mut expanded = Vec::new();
                let mut at = at;
                while at != usize::MAX {
                    let (place, before) = reached[at];
                    expanded.push(self.choice(place).alternative);
                    at = before;
                }
                expanded.reverse();
                expanded
            };
            match going_on[..] {
                [first, second, ..] => {
                    return Some([first, second].map(|(at, goes_on)| {
                        let mut whole = way.clone();
                        whole.extend(way_to(at));
                        self.follow(goes_on, &mut whole);
                        whole
                    }));
                }
                [(at, Some(next))] => {
                    way.extend(way_to(at));
                    place = next;
                }
                _ => return None,
            }
        }
        None
    }

    fn follow(&self, mut goes_on: GoesOn, way: &mut Vec<u32>) {
        while let Some(place) = goes_on {
            way.push(self.choice(place).alternative);
            goes_on = self.towards(place).flatten();
        }
    }
}
