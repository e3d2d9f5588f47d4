import type { Entry, Integration } from '@postern/schemas';
import { basePathOf } from './check-rules.ts';
import { type Finding, warning } from './finding.ts';

/** Of each integration the latest calls that are looked at. */
const LATEST = 20;
const NAMES_MAX = 5;

/** Mistakes that show in what became of the latest calls, newest first. */
export function checkTraffic(integrations: readonly Integration[], entries: readonly Entry[]): Finding[] {
  return [
    ...integrations
      .filter(({ disabled }) => !disabled)
      .flatMap((integration) => {
        const own = entries.filter((entry) => entry.integration === integration.name).slice(0, LATEST);
        return [
          ...checkRefused(integration, own),
          ...checkUnavailable(integration, own),
          ...checkDoubledPath(integration, own),
        ];
      }),
    ...checkUnknown(integrations, entries),
  ];
}

/** 401 says that something is wrong with the credential; 403 may mean the one thing that was asked for. */
function checkRefused({ name, credential }: Integration, entries: readonly Entry[]): Finding[] {
  const answered = entries.filter(({ type, status }) => type === 'outcome' && status !== undefined);
  const refused = answered.filter(({ status }) => status === 401 || status === 403);
  const isAsked = refused.some(({ status }) => status === 401);
  if (refused.length === 0 || (!isAsked && refused.length < answered.length)) return [];
  const about = `integration ${name}`;
  const count = `${refused.length} of its last ${answered.length} calls with ${refused[0]?.status}`;
  if (credential.type === 'none') {
    const message = `has no credential, and the upstream answered ${count}`;
    const remedy = `postern integrations update ${name} --credential bearer --secret NAME`;
    return [warning('credential-missing', { about, message, remedy })];
  }
  // One success after it: the secret was mended, or the call was at fault.
  if (answered[0] !== refused[0]) return [];
  const message = `the upstream answered ${count}: it does not take secret ${credential.secret}, or not as ${credential.type}`;
  const remedy = `Is it valid, and of the right account? postern secrets set ${credential.secret}`;
  return [warning('credential-refused', { about, message, remedy })];
}

function checkUnavailable({ name }: Integration, entries: readonly Entry[]): Finding[] {
  const lost = entries.filter(({ code }) => code === 'credential_unavailable');
  const [last] = lost;
  // A later call that went out says that it is mended.
  if (
    last === undefined ||
    entries.some(({ seq, type, status }) => type === 'outcome' && status !== undefined && seq > last.seq)
  )
    return [];
  return [
    warning('credential-unavailable', {
      about: `integration ${name}`,
      message: `${lost.length} of its last calls ended because the credential could not be opened (agent ${last.agent})`,
      remedy: `postern doctor ${name} --agent ${last.agent}`,
    }),
  ];
}

function checkDoubledPath({ name, baseUrl }: Integration, entries: readonly Entry[]): Finding[] {
  const basePath = basePathOf(baseUrl);
  if (basePath === '') return [];
  const doubled = entries.filter(({ status, url }) => {
    const path = status === 404 && url !== undefined ? URL.parse(url)?.pathname : undefined;
    return path === basePath + basePath || path?.startsWith(`${basePath}${basePath}/`) === true;
  });
  if (doubled.length === 0) return [];
  const message = `${doubled.length} of its last calls were for ${basePath}${basePath}/…, which the upstream does not know (404)`;
  const remedy = `The base URL has ${basePath} already: take it out of the clients' paths, or out of the base URL.`;
  return [warning('base-path-doubled', { about: `integration ${name}`, message, remedy })];
}

function checkUnknown(integrations: readonly Integration[], entries: readonly Entry[]): Finding[] {
  const known = new Set(integrations.map(({ name }) => name));
  const asked = entries.filter(
    ({ code, integration }) => code === 'unknown_integration' && !known.has(integration ?? ''),
  );
  const names = [...new Set(asked.map(({ integration }) => integration))].slice(0, NAMES_MAX);
  return names.map((name) => {
    const { agent } = asked.find(({ integration }) => integration === name) ?? {};
    const meant = integrations.find((integration) => integration.name.toLowerCase() === name?.toLowerCase());
    const remedy = `postern integrations list shows what there is${meant === undefined ? '' : `; ${meant.name} is written so`}.`;
    const message = `agent ${agent} calls it, and it does not exist`;
    return warning('integration-unknown', { about: `integration ${name}`, message, remedy });
  });
}
