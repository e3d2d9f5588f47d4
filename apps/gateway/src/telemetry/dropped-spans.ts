import { type Attributes, createNoopMeter, type MeterProvider } from '@opentelemetry/api';
import { ATTR_ERROR_TYPE } from '@opentelemetry/semantic-conventions';

/** What the SDK's span processor counts with: spans that were processed, those lost with the reason. */
const PROCESSED = 'otel.sdk.processor.span.processed';

/** Listens to the span processor's own measurements: it tells of lost spans in no other way. */
export function countDroppedSpans(onDropped: (spans: number) => void): MeterProvider {
  const meter = createNoopMeter();
  const createCounter: typeof meter.createCounter = (name, options) => {
    if (name !== PROCESSED) return createNoopMeter().createCounter(name, options);
    return {
      add: (count: number, attributes?: Attributes) => {
        if (attributes?.[ATTR_ERROR_TYPE] !== undefined) onDropped(count);
      },
    };
  };
  return { getMeter: () => Object.assign(Object.create(meter), { createCounter }) };
}
