import { Misuse } from './exit.ts';
import type { AdminPlace } from './gateway-place.ts';
import { accepted, type HttpAnswer, sendRequest } from './http.ts';

export type Query = Readonly<Record<string, string | undefined>>;

/** The control plane as commands use it. Every refusal is thrown as `RefusedCall`. */
export interface AdminApi {
  readonly url: string;
  get<T>(path: string, query?: Query): Promise<T>;
  /** The body as it comes, in the given media type. */
  getText(path: string, mediaType: string): Promise<string>;
  send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>;
}

interface RequestOptions {
  readonly body?: unknown;
  readonly accept?: string;
}

/** Of the largest page that the control plane gives. */
const PAGE_ITEMS = 100;

export function createAdminApi(place: AdminPlace, tenant: string | undefined): AdminApi {
  const headers = {
    authorization: `Bearer ${place.token}`,
    accept: 'application/json',
    ...(tenant === undefined ? {} : { 'postern-tenant': tenant }),
  };
  const request = async (method: string, path: string, options: RequestOptions = {}): Promise<HttpAnswer> => {
    const accept = options.accept === undefined ? {} : { accept: options.accept };
    const url = `${place.url}${path}`;
    const answer = await sendRequest({ method, url, headers: { ...headers, ...accept }, body: options.body });
    return accepted(answer, place.url);
  };
  return {
    url: place.url,
    get: async <T>(path: string, query: Query = {}) => (await request('GET', `${path}${queryOf(query)}`)).body as T,
    getText: async (path, accept) => (await request('GET', path, { accept })).text,
    send: async <T>(method: string, path: string, body?: unknown) => (await request(method, path, { body })).body as T,
  };
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor?: string;
}

/** All items of a list, page after page. */
export async function listAll<T>(api: AdminApi, path: string, query: Query = {}): Promise<readonly T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<T> = await api.get(path, { ...query, limit: String(PAGE_ITEMS), cursor });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items;
}

/** `apiPath('agents', 'coder')` is `/v1/agents/coder`; a name cannot become another path. */
export function apiPath(...segments: readonly string[]): string {
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..') throw new Misuse(`"${segment}" is not a name`);
  }
  return `/v1/${segments.map(encodeURIComponent).join('/')}`;
}

function queryOf(query: Query): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}
