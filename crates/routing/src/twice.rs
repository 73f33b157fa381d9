//! Does one person get a message more than once in some combination of old and new?
//!
//! This is the one question that reachability does not answer: two ways may need one place to be old and new at once. So
//! the places that choose between ways to this person are tried out in every combination. They are few, since only places
//! on the way to one person count, and of them only those whose old and new both lead there: whatever leads elsewhere can
//! be left as it is without a message less.

use std::collections::{HashMap, VecDeque};

use crate::graph::{Delivery, Graph, NONE};

/// So many combinations are tried out for an address and a person: ten places that choose between two.
const COMBINATIONS_MAX: usize = 1024;

/// Where there are more combinations, so many places are looked at, in as many of them as that is enough for: all of them are
/// out of reach anyway, and a directory may be one large knot.
const PLACES_MAX: usize = 1 << 16;

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
    /// From which a place can be come to where a message may become two.
    is_near: Vec<bool>,
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
            is_near: vec![false; places.len()],
        };
        let mut queue = Vec::new();
        for choice in sorted {
            let place = position[graph.alternative(choice.alternative).node as usize];
            let choices = &mut part.choices[place as usize];
            for child in &choice.children {
                part.leading[*child as usize].push((place, choices.len() as u32));
            }
            if choice.parts && !std::mem::replace(&mut part.is_near[place as usize], true) {
                queue.push(place);
            }
            choices.push(choice);
        }
        while let Some(place) = queue.pop() {
            for (before, _) in &part.leading[place as usize] {
                if !std::mem::replace(&mut part.is_near[*before as usize], true) {
                    queue.push(*before);
                }
            }
        }
        part
    }

    /// Two ways of one message from this place, if there are.
    pub(crate) fn twice_from(&self, start: u32) -> Option<Twice> {
        if !self.is_near[start as usize] {
            return None;
        }
        let mut trial = Trial::new(self, start);
        let open: Vec<u32> =
            trial.places.iter().copied().filter(|place| self.choices[*place as usize].len() > 1).collect();
        let all = open.iter().try_fold(1usize, |all, place| {
            let all = all * self.choices[*place as usize].len();
            (all <= COMBINATIONS_MAX).then_some(all)
        });
        let some = || (PLACES_MAX / trial.places.len()).clamp(1, COMBINATIONS_MAX);
        for _ in 0..all.unwrap_or_else(some) {
            if let Some(ways) = trial.ways_of_one_combination() {
                return Some(Twice { ways, is_certain: true });
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
            next?;
        }
        trial.ways_of_any_combination()
    }
}

/// The combinations of what can be come to from one place.
struct Trial<'p> {
    part: &'p Part,
    start: u32,
    /// All places that can be come to, in order of distance, and how each was first come to: place and choice.
    places: Vec<u32>,
    came_from: HashMap<u32, (u32, u32)>,
    /// Which choice each place makes in the combination at hand.
    chosen: Vec<u32>,
}

/// Where a message goes on: it is in the mailbox, or is sent to this place.
type GoesOn = Option<u32>;

impl<'p> Trial<'p> {
    fn new(part: &'p Part, start: u32) -> Self {
        let mut came_from = HashMap::from([(start, (NONE, NONE))]);
        let mut places = vec![start];
        let mut at = 0;
        while at < places.len() {
            let place = places[at];
            at += 1;
            for (number, choice) in part.choices[place as usize].iter().enumerate() {
                for child in &choice.children {
                    came_from.entry(*child).or_insert_with(|| {
                        places.push(*child);
                        (place, number as u32)
                    });
                }
            }
        }
        Self { part, start, places, came_from, chosen: vec![0; part.choices.len()] }
    }

    fn choice(&self, place: u32) -> &Choice {
        &self.part.choices[place as usize][self.chosen[place as usize] as usize]
    }

    /// How mail comes from each place to the person in this combination: what the next place is, or that it is there.
    fn towards(&self) -> HashMap<u32, GoesOn> {
        let mut towards = HashMap::new();
        let mut queue = VecDeque::new();
        for place in &self.places {
            if self.choice(*place).delivers {
                towards.insert(*place, None);
                queue.push_back(*place);
            }
        }
        while let Some(place) = queue.pop_front() {
            for (before, choice) in &self.part.leading[place as usize] {
                let is_taken = self.chosen[*before as usize] == *choice && self.came_from.contains_key(before);
                if is_taken && !towards.contains_key(before) {
                    towards.insert(*before, Some(place));
                    queue.push_back(*before);
                }
            }
        }
        towards
    }

    /// Follows the one message until it becomes two that both come to the person.
    fn ways_of_one_combination(&self) -> Option<[Vec<u32>; 2]> {
        let towards = self.towards();
        let mut way: Vec<u32> = Vec::new();
        let mut place = self.start;
        // A message that stays one and comes to its goal passes no place twice.
        for _ in 0..self.places.len() {
            if !towards.contains_key(&place) {
                return None;
            }
            // What the site makes of it in one go: each recipient once.
            let mut reached = vec![(place, usize::MAX)];
            let mut seen = std::collections::HashSet::from([place]);
            let mut going_on: Vec<(usize, GoesOn)> = Vec::new();
            let mut at = 0;
            while at < reached.len() {
                let choice = self.choice(reached[at].0);
                let children = choice.children.iter().copied().filter(|child| towards.contains_key(child));
                if choice.expands {
                    reached.extend(children.filter(|child| seen.insert(*child)).map(|child| (child, at)));
                } else {
                    going_on.extend(choice.delivers.then_some((at, None)));
                    going_on.extend(children.map(|child| (at, Some(child))));
                }
                at += 1;
            }
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
                        self.follow(goes_on, &towards, &mut whole);
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

    fn follow(&self, mut goes_on: GoesOn, towards: &HashMap<u32, GoesOn>, way: &mut Vec<u32>) {
        while let Some(place) = goes_on {
            way.push(self.choice(place).alternative);
            goes_on = towards.get(&place).copied().flatten();
        }
    }

    /// Two ways that may need one place to be old and new at once.
    fn ways_of_any_combination(&self) -> Option<Twice> {
        let branching = |place: &u32| {
            let choices = &self.part.choices[*place as usize];
            choices.iter().find(|choice| choice.parts).map(|choice| (*place, choice))
        };
        let (place, choice) = self.places.iter().find_map(branching)?;
        let mut way = vec![choice.alternative];
        let mut at = place;
        while let Some((before, number)) = self.came_from.get(&at).filter(|(before, _)| *before != NONE) {
            way.push(self.part.choices[*before as usize][*number as usize].alternative);
            at = *before;
        }
        way.reverse();
        let towards = self.towards_in_any();
        let going_on = choice.delivers.then_some(None).into_iter().chain(choice.children.iter().copied().map(Some));
        let mut ways = going_on.take(2).map(|goes_on| {
            let mut whole = way.clone();
            let mut goes_on = goes_on;
            while let Some(place) = goes_on {
                let Some((alternative, next)) = towards.get(&place) else { break };
                whole.push(*alternative);
                goes_on = *next;
            }
            whole
        });
        Some(Twice { ways: [ways.next()?, ways.next()?], is_certain: false })
    }

    /// How mail comes from each place to the person in whichever combination: by which alternative, and to where.
    fn towards_in_any(&self) -> HashMap<u32, (u32, GoesOn)> {
        let mut towards = HashMap::new();
        let mut queue = VecDeque::new();
        for place in &self.places {
            let delivering = self.part.choices[*place as usize].iter().find(|choice| choice.delivers);
            if let Some(choice) = delivering {
                towards.insert(*place, (choice.alternative, None));
                queue.push_back(*place);
            }
        }
        while let Some(place) = queue.pop_front() {
            for (before, number) in &self.part.leading[place as usize] {
                if self.came_from.contains_key(before) && !towards.contains_key(before) {
                    let choice = &self.part.choices[*before as usize][*number as usize];
                    towards.insert(*before, (choice.alternative, Some(place)));
                    queue.push_back(*before);
                }
            }
        }
        towards
    }
}
