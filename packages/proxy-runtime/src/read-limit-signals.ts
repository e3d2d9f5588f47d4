import { LIMIT_WAIT_FORMS, type LimitSignal } from './limit-signals.ts';
import { refuseUnknown } from './refuse-unknown.ts';

/** Checks what a configuration gives as limit signals; undefined for none. Throws `TypeError` that names the field. */
export function readLimitSignals(given: readonly LimitSignal[] | undefined): readonly LimitSignal[] | undefined {
  if (given === undefined) return undefined;
  if (!Array.isArray(given)) throw new TypeError('limitSignals: must be a list');
  for (const [place, signal] of given.entries()) checkSignal(signal, `limitSignals[${place}].`);
  return given;
}

function checkSignal(signal: LimitSignal, prefix: string): void {
  refuseUnknown(signal, ['statuses', 'when', 'wait'], prefix);
  const { statuses, when, wait } = signal;
  const isList = Array.isArray(statuses) && statuses.length > 0;
  if (!isList || !statuses.every((status) => Number.isInteger(status) && status >= 400 && status <= 599))
    throw new TypeError(`${prefix}statuses: must be whole numbers from 400 to 599`);
  if (when !== undefined) {
    refuseUnknown(when, ['header', 'equals'], `${prefix}when.`);
    checkName(when.header, `${prefix}when.header`);
    if (when.equals !== undefined && typeof when.equals !== 'string')
      throw new TypeError(`${prefix}when.equals: must be a string`);
  }
  if (wait !== undefined) {
    refuseUnknown(wait, ['header', 'as'], `${prefix}wait.`);
    checkName(wait.header, `${prefix}wait.header`);
    if (!LIMIT_WAIT_FORMS.includes(wait.as))
      throw new TypeError(`${prefix}wait.as: must be one of ${LIMIT_WAIT_FORMS.join(', ')}`);
  }
}

/** RFC 9110 section 5.6.2. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function checkName(name: unknown, field: string): void {
  if (typeof name !== 'string' || !FIELD_NAME.test(name)) throw new TypeError(`${field}: must be a field name`);
}
