import type { Entry, RiskScorer } from '@postern/schemas';
import type { CliContext } from '../context.ts';
import type { Configuration } from './check-configuration.ts';
import { checkUpstream, type UpstreamPlace } from './check-upstreams.ts';
import { type Finding, warning } from './finding.ts';

/**
 * Whether the risk scorer can be asked, and how it was with it lately. Nothing of it is broken for calls: while it cannot be heard, 0.3 is
 * added to their scores.
 */
export async function checkScorer(
  context: CliContext,
  { risk, secrets }: Configuration,
  { entries, connect }: { readonly entries: readonly Entry[]; readonly connect: boolean },
): Promise<Finding[]> {
  const scorer = risk?.scorer ?? null;
  if (scorer === null) return [];
  return [
    ...checkSecret(scorer, secrets),
    ...(connect ? [await checkPlace(context, scorer)] : []),
    ...checkAnswers(scorer, entries),
  ];
}

function checkSecret({ secret }: RiskScorer, secrets: Configuration['secrets']): Finding[] {
  if (secret === undefined || secrets.some(({ name }) => name === secret)) return [];
  const message = `its secret ${secret} does not exist: it can be asked about no call`;
  return [warning('secret-missing', { about: 'risk scorer', message, remedy: `postern secrets set ${secret}` })];
}

async function checkPlace(context: CliContext, scorer: RiskScorer): Promise<Finding> {
  const { status, about, message, remedy = '' } = await checkUpstream(context, placeOf(scorer));
  return status === 'ok' ? { status, about, message } : warning('scorer-unreachable', { about, message, remedy });
}

function placeOf({ baseUrl, unsafeAllowAddresses = [] }: RiskScorer): UpstreamPlace {
  const { protocol, hostname, port } = new URL(baseUrl);
  const scheme = protocol === 'https:' ? 'https' : 'http';
  const host = hostname.replace(/^\[|\]$/g, '');
  return {
    about: `risk scorer ${host}`,
    scheme,
    host,
    port: Number(port) || (scheme === 'https' ? 443 : 80),
    unsafeAllowAddresses,
    addressesField: 'risk.scorer.unsafeAllowAddresses',
    ca: undefined,
  };
}

const REMEDIES: Readonly<Record<string, string>> = {
  scorer_refused: 'Are baseUrl, model and secret of risk.scorer right? The log tells the status.',
  answer_invalid: 'Take a model that keeps to the JSON it is asked for.',
  scorer_timeout: 'Take a faster model: it has 10 s.',
  rate_limited: 'It is asked about each call that is not denied: raise its quota.',
  secret_unavailable: 'The secret must be for the environments of the agents, and at least 8 characters.',
};

/** A question that was answered since says that it is mended. */
function checkAnswers({ baseUrl }: RiskScorer, entries: readonly Entry[]): Finding[] {
  const url = `${baseUrl.replace(/\/$/, '')}/chat/completions`;
  const questions = entries.filter(
    (entry) => entry.type === 'outcome' && entry.integration === undefined && entry.url === url,
  );
  const answered = questions.findIndex(({ result }) => result === 'done');
  const failed = (answered === -1 ? questions : questions.slice(0, answered)).filter(
    ({ code }) => code !== 'client_gone',
  );
  const code = failed[0]?.code;
  if (code === undefined) return [];
  const message = `its last ${failed.length} questions ended with ${code}; 0.3 is added to the score of each call`;
  const remedy = REMEDIES[code] ?? 'Is it up? The log tells more.';
  return [warning('scorer-failing', { about: 'risk scorer', message, remedy })];
}
