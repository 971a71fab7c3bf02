// Reads one entity a line, as JSON, and answers for each, on a line, whether Backstage takes it and which relations it makes of it:
// {"taken": true, "relations": [["component:default/a", "ownedBy", "group:default/b"], …]} or {"why": "…"}.
const readline = require('node:readline');
const model = require('@backstage/catalog-model');
const alpha = require('@backstage/catalog-model/alpha');
const template = require('./template.schema.json');

const policy = model.EntityPolicies.allOf([
  new model.SchemaValidEntityPolicy(),
  new model.DefaultNamespaceEntityPolicy(),
  new model.NoForeignRootFieldsEntityPolicy(),
  new model.FieldFormatEntityPolicy(),
]);

const envelope = model.entityEnvelopeSchemaValidator();
const byType = {
  API: { 'mcp-server': alpha.mcpServerApiEntityValidator },
  AiResource: {
    skill: alpha.skillAiResourceEntityV1alpha1Validator,
    rule: alpha.ruleAiResourceEntityV1alpha1Validator,
    plugin: alpha.pluginAiResourceEntityV1alpha1Validator,
    marketplace: alpha.marketplaceAiResourceEntityV1alpha1Validator,
  },
};
const isTemplate = model.entityKindSchemaValidator(template);
const byKind = {
  Template: { check: async (entity) => isTemplate(entity) === entity },
  API: model.apiEntityV1alpha1Validator,
  AiResource: alpha.aiResourceEntityV1alpha1Validator,
  Component: model.componentEntityV1alpha1Validator,
  Domain: model.domainEntityV1alpha1Validator,
  Group: model.groupEntityV1alpha1Validator,
  Location: model.locationEntityV1alpha1Validator,
  Resource: model.resourceEntityV1alpha1Validator,
  System: model.systemEntityV1alpha1Validator,
  User: model.userEntityV1alpha1Validator,
};

const rules = alpha.compileCatalogModel([alpha.defaultCatalogEntityModel, alpha.aiResourceEntityModel, alpha.mcpServerApiEntityModel]);

// The relations that the model's fields say, both ways.
function relationsOf(entity) {
  const kind = rules.getKind({ kind: entity.kind, apiVersion: entity.apiVersion, spec: entity.spec });
  const self = model.stringifyEntityRef(entity);
  const found = [];
  for (const field of kind?.relationFields ?? []) {
    const named = field.path.split('.').reduce((value, key) => value?.[key], entity);
    if (!named) continue;
    for (const text of [named].flat()) {
      const target = model.stringifyEntityRef(
        model.parseEntityRef(text, { defaultKind: field.defaultKind, defaultNamespace: entity.metadata.namespace }),
      );
      found.push([self, field.relation, target], [target, backs.get(field.relation), self]);
    }
  }
  return found;
}

const backs = new Map();
for (const { forward, reverse } of rules.listRelations()) {
  backs.set(forward.type, reverse.type);
  backs.set(reverse.type, forward.type);
}

async function look(entity) {
  try {
    envelope(entity);
    const whole = await policy.enforce(entity);
    const validator = byType[entity.kind]?.[entity.spec?.type] ?? byKind[entity.kind];
    if (!(await validator?.check(whole))) return { why: 'no processor knows it' };
    return { taken: true, relations: relationsOf(whole) };
  } catch (error) {
    return { why: `${error.message ?? error}` };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await look(JSON.parse(line)))}\n`);
  }
}

main();
