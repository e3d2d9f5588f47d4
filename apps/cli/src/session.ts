import { type AdminClient, createAdminClient } from '@postern/client';
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { Misuse } from './exit.ts';
import { findAdminPlace } from './gateway-place.ts';
import { type Column, renderTable } from './output/table.ts';
import { visibleJson, visibleLines } from './output/visible-text.ts';

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly tenant?: string;
}

/** One run of a command against the control plane. */
export interface Session {
  readonly context: CliContext;
  readonly client: AdminClient;
  /** Of the control plane. */
  readonly url: string;
  readonly json: boolean;
}

/** `named`: the tenant that a file names; it counts where the command line names none, and is refused where that names another. */
export function openSession(context: CliContext, command: Command, named?: string): Session {
  const { json, tenant = named } = commonOptions(command);
  if (named !== undefined && tenant !== named)
    throw new Misuse(`the file is for tenant ${named}, --tenant says ${tenant}`);
  const { url, token } = findAdminPlace(context);
  const client = createAdminClient({ url, token, ...(tenant === undefined ? {} : { tenant }) });
  return { context, client, url, json: json === true };
}

export function commonOptions(command: Command): CommonOptions {
  return command.optsWithGlobals<CommonOptions>();
}

/** All items of a list that comes page by page. */
export async function gather<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const gathered: T[] = [];
  for await (const item of items) gathered.push(item);
  return gathered;
}

export interface Listing<T> {
  readonly items: readonly T[];
  readonly nextCursor?: string | undefined;
  readonly columns: readonly Column<T>[];
  /** What to say when there are none. */
  readonly none: string;
}

/** A table, or `{items, nextCursor?}` for scripts. */
export function showList<T>({ context, json }: Pick<Session, 'context' | 'json'>, listing: Listing<T>): void {
  const { items, nextCursor, columns, none } = listing;
  if (json) context.write(`${visibleJson({ items, ...(nextCursor === undefined ? {} : { nextCursor }) })}\n`);
  else if (items.length === 0) context.note(`${none}\n`);
  else context.write(renderTable(columns, items, context.columns));
}

/** `text` is for people, `value` for scripts. */
export function showResult({ context, json }: Pick<Session, 'context' | 'json'>, value: unknown, text: string): void {
  context.write(json ? `${visibleJson(value)}\n` : `${visibleLines(text)}\n`);
}
