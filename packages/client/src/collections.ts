import type { ApiPage, PageQuery } from './api-objects.ts';
import type { Send } from './send.ts';

/** Makes an edit conditional on the `ETag` that was read. */
export interface EditOptions {
  readonly ifMatch?: string;
}

/** An object with the tag of its version. */
export interface Tagged<T> {
  readonly value: T;
  readonly etag: string | undefined;
}

/** The calls that agents, integrations and rules have in common. `id` is an id or a name. */
export interface Collection<T, New> {
  list(query?: PageQuery): Promise<ApiPage<T>>;
  /** All items, page by page. */
  all(): AsyncIterable<T>;
  get(id: string): Promise<T>;
  getTagged(id: string): Promise<Tagged<T>>;
  create(value: New): Promise<T>;
  /** Replaces all members. */
  replace(id: string, value: Partial<New>, options?: EditOptions): Promise<T>;
  remove(id: string, options?: EditOptions): Promise<void>;
}

export function createCollection<T, New>(send: Send, path: string): Collection<T, New> {
  const list = (query: PageQuery = {}) => readJson<ApiPage<T>>(send, { path, query: { ...query } });
  const one = (id: string) => `${path}/${encodeURIComponent(id)}`;
  return {
    list,
    all: () => allPages(list),
    get: (id) => readJson<T>(send, { path: one(id) }),
    async getTagged(id) {
      const response = await send({ method: 'GET', path: one(id) });
      return { value: (await response.json()) as T, etag: response.headers.get('etag') ?? undefined };
    },
    create: (value) => writeJson<T>(send, 'POST', path, { body: value }),
    replace: (id, value, { ifMatch } = {}) => writeJson<T>(send, 'PUT', one(id), { body: value, ifMatch }),
    async remove(id, { ifMatch } = {}) {
      await send({ method: 'DELETE', path: one(id), ifMatch });
    },
  };
}

export async function* allPages<T>(list: (query: PageQuery) => Promise<ApiPage<T>>): AsyncIterable<T> {
  let cursor: string | undefined;
  do {
    const page = await list({ limit: 100, ...(cursor === undefined ? {} : { cursor }) });
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

export async function readJson<T>(
  send: Send,
  request: { readonly path: string; readonly query?: Readonly<Record<string, string | number | undefined>> },
): Promise<T> {
  const response = await send({ method: 'GET', ...request });
  return (await response.json()) as T;
}

export async function writeJson<T>(
  send: Send,
  method: 'POST' | 'PUT' | 'PATCH',
  path: string,
  { body, ifMatch }: { readonly body?: unknown; readonly ifMatch?: string | undefined } = {},
): Promise<T> {
  const response = await send({ method, path, ifMatch, ...(body === undefined ? {} : { body }) });
  return (await response.json()) as T;
}
