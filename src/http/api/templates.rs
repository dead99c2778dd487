//! What the handlers need not say of their paths in the OpenAPI document.
//!
//! `{scope}` in the path of a handler stands for `registry`, `organization/{namespace}` and `repository/{repository}`,
//! `{prune_scope}` for the last two; each becomes a path of its own. Every parameter of a path that the handler has not
//! described itself is described here.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, OpenApi, Required};

/// Part of a path, and what tells the operations below it from those of other scopes.
type Scope = (&'static str, &'static str);

const REGISTRY: Scope = ("registry", "of_registry");
const ORGANIZATION: Scope = ("organization/{namespace}", "of_organization");
const REPOSITORY: Scope = ("repository/{repository}", "of_repository");

const SCOPES: [(&str, &[Scope]); 2] =
    [("{scope}", &[REGISTRY, ORGANIZATION, REPOSITORY]), ("{prune_scope}", &[ORGANIZATION, REPOSITORY])];

const PARAMETERS: [(&str, &str); 5] = [
    ("repository", "Name of the repository, as it is, with its slashes"),
    ("namespace", "Namespace, the beginning of names of repositories up to a slash, as it is, with its slashes"),
    ("tag", "The tag"),
    ("id", "Id of the access token"),
    ("uuid", "Id of the policy, as its creation has answered it"),
];

/// Replaces the scopes, then describes the parameters.
pub(super) struct Templates;

impl utoipa::Modify for Templates {
    fn modify(&self, document: &mut OpenApi) {
        for (placeholder, scopes) in SCOPES {
            let paths = &mut document.paths.paths;
            let scoped: Vec<_> = paths.keys().filter(|path| path.contains(placeholder)).cloned().collect();
            for template in scoped {
                let Some(item) = paths.remove(&template) else { continue };
                for (path, suffix) in scopes {
                    let mut item = item.clone();
                    for id in operations(&mut item).filter_map(|operation| operation.operation_id.as_mut()) {
                        *id = format!("{id}_{suffix}");
                    }
                    paths.insert(template.replace(placeholder, path), item);
                }
            }
        }
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                describe(path, operation);
            }
        }
    }
}

fn describe(path: &str, operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    for (name, description) in PARAMETERS {
        let is_described = parameters.iter().any(|one| one.name == name && one.parameter_in == ParameterIn::Path);
        if path.contains(&format!("{{{name}}}")) && !is_described {
            parameters.push(parameter(name, description));
        }
    }
}

fn parameter(name: &str, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// The operations of a path.
pub(super) fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use utoipa::Modify;
    use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem, PathsBuilder};
    use utoipa::openapi::{Info, OpenApi};

    use super::Templates;

    /// Each path with its operation's id and parameters.
    fn templated(path: &str) -> BTreeMap<String, (String, Vec<String>)> {
        let operation = OperationBuilder::new().operation_id(Some("get_it"));
        let paths = PathsBuilder::new().path(path, PathItem::new(HttpMethod::Get, operation)).build();
        let mut document = OpenApi::new(Info::new("", ""), paths);
        Templates.modify(&mut document);
        let told = |item: PathItem| {
            let operation = item.get.unwrap();
            let parameters = operation.parameters.unwrap().into_iter().map(|one| one.name).collect();
            (operation.operation_id.unwrap(), parameters)
        };
        document.paths.paths.into_iter().map(|(path, item)| (path, told(item))).collect()
    }

    #[test]
    fn paths_of_the_document() {
        let entry = |path: &str, id: &str, parameters: &[&str]| {
            (path.to_owned(), (id.to_owned(), parameters.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()))
        };
        let cases = [
            (
                "/{scope}/immutabilitypolicy/{uuid}",
                vec![
                    entry("/registry/immutabilitypolicy/{uuid}", "get_it_of_registry", &["uuid"]),
                    entry(
                        "/organization/{namespace}/immutabilitypolicy/{uuid}",
                        "get_it_of_organization",
                        &["namespace", "uuid"],
                    ),
                    entry(
                        "/repository/{repository}/immutabilitypolicy/{uuid}",
                        "get_it_of_repository",
                        &["repository", "uuid"],
                    ),
                ],
            ),
            (
                "/{prune_scope}/autoprunepolicy/",
                vec![
                    entry("/organization/{namespace}/autoprunepolicy/", "get_it_of_organization", &["namespace"]),
                    entry("/repository/{repository}/autoprunepolicy/", "get_it_of_repository", &["repository"]),
                ],
            ),
            (
                "/repository/{repository}/tag/{tag}",
                vec![entry("/repository/{repository}/tag/{tag}", "get_it", &["repository", "tag"])],
            ),
            ("/log/head", vec![entry("/log/head", "get_it", &[])]),
        ];
        for (path, expected) in cases {
            assert_eq!(templated(path), BTreeMap::from_iter(expected), "{path}");
        }
    }
}
