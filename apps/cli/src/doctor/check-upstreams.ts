import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Integration } from '@postern/schemas';
import { type AllowVerdict, createDnsResolver, type DenyVerdict, judgeTarget } from '@postern/ssrf-guard';
import type { CliContext } from '../context.ts';
import { broken, type Finding, ok, warning } from './finding.ts';

const CONNECT_MS = 5_000;
/** Upstreams tried at one time. */
const AT_ONCE = 8;

/** Whether the hosts of the integrations resolve, lie where they may, and show a certificate that counts. Sends them nothing. */
export async function checkUpstreams(context: CliContext, integrations: readonly Integration[]): Promise<Finding[]> {
  const places = integrations.filter(({ disabled }) => !disabled).flatMap(placesOf);
  const findings: Finding[] = [];
  for (let at = 0; at < places.length; at += AT_ONCE) {
    const tried = places.slice(at, at + AT_ONCE).map((place) => checkUpstream(context, place));
    findings.push(...(await Promise.all(tried)));
  }
  return findings;
}

/** A place that the gateway calls, with what its configuration opens for it. */
export interface UpstreamPlace {
  readonly about: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly unsafeAllowAddresses: readonly string[];
  /** The field that opens addresses: `network.unsafeAllowAddresses`. */
  readonly addressesField: string;
  /** PEM of its own authority; undefined where it cannot have one. */
  readonly ca: string | null | undefined;
}

/** The base URL's host and the others, all under its scheme and port. */
export function placesOf(integration: Integration): UpstreamPlace[] {
  const { protocol, hostname, port } = new URL(integration.baseUrl);
  const scheme = protocol === 'https:' ? 'https' : 'http';
  const hosts = new Set([hostname, ...(integration.hosts ?? [])]);
  return [...hosts].map((listed) => {
    const host = listed.replace(/^\[|\]$/g, '');
    return {
      about: `upstream ${host} of integration ${integration.name}`,
      scheme,
      host,
      port: Number(port) || (scheme === 'https' ? 443 : 80),
      unsafeAllowAddresses: integration.network.unsafeAllowAddresses,
      addressesField: 'network.unsafeAllowAddresses',
      ca: integration.tls.ca,
    };
  });
}

/** As the gateway would go about it: the same resolver, the same judgement, the judged address. */
export async function checkUpstream(context: CliContext, place: UpstreamPlace): Promise<Finding> {
  const { about, scheme, host, port, unsafeAllowAddresses } = place;
  const verdict = await judgeTarget(
    { scheme, host, port },
    { resolve: createDnsResolver({ servers: dnsServersOf(context) }), unsafeAllowAddresses },
  );
  if (verdict.verdict === 'deny') return denied(place, verdict);
  const failure = await tryConnection(place, verdict);
  if (failure === undefined) return ok(about, `answers at ${verdict.address}`);
  return isCertificateFault(failure) ? untrusted(place, failure) : unreachable(about, verdict, failure);
}

function dnsServersOf({ environment }: CliContext): readonly string[] {
  return (environment['POSTERN_DNS_SERVERS'] ?? '')
    .split(',')
    .map((server) => server.trim())
    .filter((server) => server !== '');
}

function denied({ about, addressesField }: UpstreamPlace, { code, address, class: kind }: DenyVerdict): Finding {
  if (code === 'resolve_failed') {
    const remedy = 'Is the name right? POSTERN_DNS_SERVERS names other servers to ask.';
    return broken('host-unresolved', { about, message: 'has no address', remedy });
  }
  if (code === 'metadata_forbidden') {
    const remedy = 'Nothing opens it: these services give out credentials of the machine.';
    return broken('host-private', { about, message: 'is a cloud metadata service', remedy });
  }
  const remedy = `If it is meant, an owner adds ${address}/${address?.includes(':') ? 128 : 32} to ${addressesField}.`;
  return broken('host-private', { about, message: `lies at ${address}, which is ${kind} and not opened`, remedy });
}

function tryConnection({ ca: ownCa, scheme, host, port }: UpstreamPlace, { address }: AllowVerdict) {
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | undefined>();
  const ca = ownCa ?? undefined;
  const servername = /^[\d.]+$|:/.test(host) ? '' : host;
  const socket: Socket =
    scheme === 'http'
      ? connectPlain({ host: address, port })
      : connectTls({ host: address, port, servername, ...(ca === undefined ? {} : { ca }) });
  socket.setTimeout(CONNECT_MS, () => resolve(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
  socket.once('error', resolve);
  socket.once(scheme === 'http' ? 'connect' : 'secureConnect', () => resolve(undefined));
  return promise.finally(() => socket.destroy());
}

const CERTIFICATE_FAULT = /CERT|SELF_SIGNED|VERIFY|ISSUER|ALTNAME/;

function isCertificateFault({ code }: NodeJS.ErrnoException): boolean {
  return code !== undefined && CERTIFICATE_FAULT.test(code);
}

function untrusted({ about, ca }: UpstreamPlace, { code }: NodeJS.ErrnoException): Finding {
  const message = `shows a certificate that is not accepted (${code})`;
  return broken('upstream-tls', { about, message, remedy: certificateRemedy(code, ca) });
}

function certificateRemedy(code: string | undefined, ca: string | null | undefined): string {
  if (code === 'CERT_HAS_EXPIRED') return 'It has expired: the upstream must renew it.';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'It is for another name: use that name in the base URL.';
  if (ca === undefined) return 'Only public authorities count there: put a certificate of one in front of it.';
  return ca === null
    ? 'If its authority is private, put its certificate into tls.ca of the integration.'
    : 'tls.ca of the integration holds another authority; put the right one in.';
}

function unreachable(about: string, { address, port }: AllowVerdict, { code }: NodeJS.ErrnoException): Finding {
  const message = `no connection to ${address}:${port} (${code})`;
  return warning('upstream-unreachable', { about, message, remedy: 'Is it up, and may this machine go there?' });
}
