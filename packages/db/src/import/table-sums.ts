import { DbError } from '../ports/db-error.ts';
import type { TargetColumn } from './postgres-target.ts';
import { type ComparedValue, type LogDigest, LogSums, type RowsDigest, RowsSum } from './row-digest.ts';

export interface ComparedTable {
  readonly table: string;
  readonly source: RowsDigest;
  readonly target: RowsDigest;
}

export interface ComparedLog {
  readonly tenant: string;
  readonly source: LogDigest | undefined;
  readonly target: LogDigest | undefined;
}

/** What was read of the source, or of the target. */
export interface Sums {
  readonly tables: Map<string, RowsSum>;
  readonly logs: LogSums;
  readonly tenants: Map<number, string>;
}

export function emptySums(): Sums {
  return { tables: new Map(), logs: new LogSums(), tenants: new Map() };
}

interface SummedRow {
  readonly table: string;
  readonly columns: readonly TargetColumn[];
  readonly row: readonly ComparedValue[];
}

export function addRow(sums: Sums, { table, columns, row }: SummedRow): void {
  let sum = sums.tables.get(table);
  if (sum === undefined) {
    sum = new RowsSum();
    sums.tables.set(table, sum);
  }
  sum.add(row);
  if (table !== 'audit_entries' && table !== 'audit_logs') return;
  const value = (name: string) => row[columns.findIndex((column) => column.name === name)];
  if (table === 'audit_logs') {
    sums.tenants.set(Number(value('log')), String(value('tenant')));
  } else if (!sums.logs.add(Number(value('log')), Number(value('seq')), String(value('entry')))) {
    throw new DbError('invalid', `the entries of log ${value('log')} do not lie in the order of their numbers`);
  }
}

/** Of a table whose rows were added; of any other: that there are none. */
export function digestOf({ tables }: Sums, table: string): RowsDigest {
  return (tables.get(table) ?? new RowsSum()).result();
}

/** The audit logs of both sides. Ends the summing. */
export function comparedLogs(source: Sums, target: Sums): readonly ComparedLog[] {
  const byNumber = (sums: Sums) => new Map(sums.logs.results().map((log) => [log.log, log]));
  const [here, there] = [byNumber(source), byNumber(target)];
  const numbers = [...new Set([...here.keys(), ...there.keys()])].sort((left, right) => left - right);
  return numbers.map((number) => ({
    tenant: source.tenants.get(number) ?? target.tenants.get(number) ?? String(number),
    source: here.get(number),
    target: there.get(number),
  }));
}
