/**
 * What a field of the configuration document means, where its schema does not say so itself. A check refuses an entry for a field
 * that does not exist or that the schema describes.
 */
export const FIELD_MEANINGS: Readonly<Record<string, string>> = {
  version: 'The version of the format',
  tenant: 'The organisation that the document is about; must be that of the request',
  'global.rules': 'As in `rules`, but each must be a hard deny',
  secrets: 'Values for credentials, sealed when written; they cannot be read back',
  'secrets.NAME.from': 'Where the value is read; give this or `value`',
  'secrets.NAME.value': 'The value itself; whoever reads the file is warned that it stands there in clear',
  integrations: 'Upstreams that agents may call',
  'integrations[].name': 'The name in `/to/{name}/…`',
  'integrations[].disabled': 'Refuses every call to it with `integration_disabled`',
  'integrations[].credential': 'How the secret reaches the upstream',
  'integrations[].credential.type': 'The kind of credential',
  'integrations[].limits.requestBytes': 'The largest request body; one byte more is `request_too_large`',
  'integrations[].limits.responseBytes':
    'The largest body of an ordinary response; one byte more is `response_too_large`',
  'integrations[].limits.streamBytes': 'The same for an event stream',
  'integrations[].tls.ca':
    'PEM certificates of a private authority, which replace the public ones for this upstream; or where to read them',
  'integrations[].headers.request.allow':
    'Names of header fields that may pass to the upstream, or beginnings followed by `*`; narrows what passes and never widens it',
  'integrations[].headers.response.allow': 'The same for what comes back',
  'integrations[].actions':
    'Named groups of calls, for rules to speak of; beside those of the template, and in place of those of the same name',
  'integrations[].actions[].name': 'The name that rules use',
  'templates[].actions[].name': 'The name that rules use',
  agents: 'Callers',
  'agents[].name': 'The name in rules, log and audit entries',
  'agents[].roles': 'What `role:…` in a rule matches',
  'agents[].trust': 'What `trust>=…` in a rule compares, in ascending order',
  'agents[].environment': 'Integrations and secrets that list environments are open to it only when they list this one',
  'agents[].disabled': 'Refuses every call of it with `agent_disabled`',
  rules: 'The policy. What no rule allows is denied; the order of rules never matters',
  'rules[].id': 'The name of the rule in decisions, log and audit entries; unique with those of `global.rules`',
  'rules[].effect': 'Of the rules that match, hard `deny` outweighs `deny`, then `require_approval`, then `allow`',
  'rules[].integrations': 'Names of integrations',
  'rules[].actions': 'Names of actions',
  'rules[].methods': 'Methods in capital letters',
  'rules[].hosts': 'Exact host names of the target',
  'rules[].disabled': 'Takes the rule out of force',
};
