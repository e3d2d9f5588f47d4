import { isRecord, type Report } from '../read-fields.ts';

/** From which score a call is not simply allowed, and from which it is refused. */
export interface RiskThresholds {
  readonly review: number;
  readonly deny: number;
}

/** The document's defaults (specification, section 5). */
const DEFAULTS: RiskThresholds = { review: 0.5, deny: 0.9 };

/** Thresholds that no score reaches. */
export const OUT_OF_REACH: RiskThresholds = { review: Number.POSITIVE_INFINITY, deny: Number.POSITIVE_INFINITY };

/** Reads a bundle's `risk`. The scorer is for whoever calls it; here it need only be an object or null. */
export function readRiskThresholds(risk: unknown, report: Report): RiskThresholds {
  if (risk === undefined || risk === null) return DEFAULTS;
  if (!isRecord(risk)) {
    report('risk', 'must have review, deny and scorer');
    return DEFAULTS;
  }
  const thresholds = { ...DEFAULTS };
  for (const [field, value] of Object.entries(risk)) {
    if (value === undefined) continue;
    if (field === 'review' || field === 'deny') {
      if (typeof value === 'number' && value >= 0 && value <= 1) thresholds[field] = value;
      else report(`risk.${field}`, 'must be a number from 0 to 1');
    } else if (field !== 'scorer') {
      report(`risk.${field}`, 'is not a field of risk');
    } else if (value !== null && !isRecord(value)) {
      report('risk.scorer', 'must be null or a scorer');
    }
  }
  return thresholds;
}
