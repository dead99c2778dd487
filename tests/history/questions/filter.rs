//! Filters of events, and what they select by the words of the interface.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;

/// Some filters, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter(pub(crate) Vec<(&'static str, String)>);

impl Filter {
    /// Filters that select at least one of these events.
    pub(crate) fn drawn(random: &mut StdRng, events: &[Value]) -> Self {
        let event = &events[random.random_range(0..events.len())];
        let other = &events[random.random_range(0..events.len())];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut all: Vec<(&'static str, Option<String>)> = Vec::new();
        for name in ["repository", "tag", "kind", "cause"] {
            all.push((name, text(&event[name])));
        }
        let digest = ["digest", "from", "to"].iter().find_map(|name| text(&event[*name]));
        all.push(("digest", digest));
        let actor = &event["actor"];
        let (name, kind) = (text(&actor["name"]), text(&actor["kind"]));
        let with_kind = name.clone().zip(kind).map(|(name, kind)| format!("{kind}:{name}"));
        all.push(("actor", if random.random_bool(0.5) { name } else { with_kind }));
        let above = text(&event["repository"]).and_then(|name| Some(name.split_once('/')?.0.to_owned()));
        all.push(("namespace", text(&event["namespace"]).or(above)));
        // The bounds enclose the event.
        let (earlier, later) =
            if other["seq"].as_u64() < event["seq"].as_u64() { (other, event) } else { (event, other) };
        all.push(("from_seq", Some(earlier["seq"].to_string())));
        all.push(("to_seq", Some(later["seq"].to_string())));
        all.push(("since", text(&earlier["time"])));
        all.push(("until", text(&later["time"]).filter(|_| earlier["time"] != later["time"] && later != event)));
        let wanted = random.random_range(0..4);
        all.retain(|(_, value)| value.is_some());
        while all.len() > wanted {
            all.swap_remove(random.random_range(0..all.len()));
        }
        Self(all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }

    /// As the query of a request.
    pub(crate) fn query(&self) -> String {
        self.0.iter().map(|(name, value)| format!("&{name}={value}")).collect()
    }

    /// As arguments of `tagstone-replay events`.
    pub(crate) fn arguments(&self) -> Vec<String> {
        self.0.iter().flat_map(|(name, value)| [format!("--{}", name.replace('_', "-")), value.clone()]).collect()
    }

    pub(crate) fn selects(&self, event: &Value) -> bool {
        let mut things = vec![event];
        things.extend(event["entries"].as_array().into_iter().flatten());
        let outside = |(name, value): &(&'static str, String)| match *name {
            "kind" | "cause" => event[*name] == value.as_str(),
            "from_seq" => event["seq"].as_u64() >= value.parse().ok(),
            "to_seq" => event["seq"].as_u64() <= value.parse().ok(),
            // One form of instants, in which the order of the texts is that of the times.
            "since" => event["time"].as_str() >= Some(value),
            "until" => event["time"].as_str() < Some(value),
            _ => true,
        };
        let inside = |thing: &Value, (name, value): &(&'static str, String)| match *name {
            "repository" | "tag" => thing[*name] == value.as_str(),
            "digest" => ["digest", "from", "to"].iter().any(|field| thing[*field] == value.as_str()),
            "namespace" => {
                let below = |name: &Value| name.as_str().is_some_and(|name| name.starts_with(&format!("{value}/")));
                below(&thing["repository"]) || below(&thing["namespace"]) || thing["namespace"] == value.as_str()
            }
            "actor" => [&event["actor"], &thing["actor"]].iter().any(|actor| is_actor(actor, value)),
            _ => true,
        };
        self.0.iter().all(outside) && things.iter().any(|thing| self.0.iter().all(|filter| inside(thing, filter)))
    }
}

fn is_actor(actor: &Value, wanted: &str) -> bool {
    let (kind, name) = (actor["kind"].as_str().unwrap_or_default(), actor["name"].as_str().unwrap_or_default());
    !name.is_empty() && (name == wanted || format!("{kind}:{name}") == wanted)
}
