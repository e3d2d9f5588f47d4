import { ApiUnreachable } from '@postern/client';
import type { CliContext } from '../context.ts';
import { dataFolderOf, type RunFile, readRunFile } from '../gateway-place.ts';
import { type HttpAnswer, sendRequest } from '../http.ts';
import { isControlPlane } from './check-gateway.ts';
import { broken, type Finding, ok, warning } from './finding.ts';

/** Where the gateway of the data folder listens, and where it says that it can be reached. */
export async function checkAddresses(context: CliContext): Promise<Finding[]> {
  const run = context.environment['POSTERN_ADMIN_URL'] ? undefined : readRunFile(dataFolderOf(context));
  const publicUrl = run?.publicUrl ?? (context.environment['POSTERN_PUBLIC_URL'] || undefined);
  return [
    ...(run === undefined ? [] : checkListeners(run)),
    ...(publicUrl === undefined || publicUrl === run?.data
      ? []
      : [await checkPublicUrl(publicUrl.replace(/\/+$/, ''))]),
  ];
}

function checkListeners({ data, admin, dataListen, adminListen }: RunFile): Finding[] {
  const planes = [
    { url: data, listen: dataListen, prefix: 'POSTERN_', what: 'agent keys' },
    { url: admin, listen: adminListen, prefix: 'POSTERN_ADMIN_', what: 'admin tokens' },
  ];
  return planes.flatMap(({ url, listen, prefix, what }) => {
    if (listen === undefined || url.startsWith('https:') || /^(127\.|\[::1\])/.test(listen)) return [];
    return [
      warning('cleartext-listener', {
        about: `listener ${listen}`,
        message: `is no loopback address and has no certificate: ${what} cross the network in clear`,
        remedy: `Give ${prefix}TLS_CERT_FILE and ${prefix}TLS_KEY_FILE.`,
      }),
    ];
  });
}

/** Links that agents follow begin with it. */
async function checkPublicUrl(url: string): Promise<Finding> {
  const about = `public URL ${url}`;
  let answer: HttpAnswer;
  try {
    answer = await sendRequest({ method: 'GET', url: `${url}/readyz`, headers: {} });
  } catch (error) {
    if (!(error instanceof ApiUnreachable)) throw error;
    const remedy = 'POSTERN_PUBLIC_URL must lead to POSTERN_LISTEN; seen from elsewhere it may.';
    return warning('public-url-unreachable', { about, message: 'does not answer from here', remedy });
  }
  if (await isControlPlane(url)) {
    const remedy = 'POSTERN_PUBLIC_URL must lead to POSTERN_LISTEN (8080 by default).';
    return broken('public-url-wrong', { about, message: 'is the control plane, not the data plane', remedy });
  }
  if (answer.headers.has('postern-request-id')) return ok(about, 'leads to a gateway');
  const remedy = 'Is the port right? POSTERN_PUBLIC_URL must lead to POSTERN_LISTEN, also through a reverse proxy.';
  return broken('public-url-wrong', { about, message: `is no gateway (status ${answer.status})`, remedy });
}
