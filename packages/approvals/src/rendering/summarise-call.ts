import { visibleAscii, visibleText } from './visible-text.ts';

/** What the agent itself asked for; nothing of the policy that judged it. */
export interface CallToSummarise {
  readonly method: string;
  /** Canonical. */
  readonly url: string;
  readonly integration: string;
  readonly action: string | null;
  /** Null without a body. */
  readonly bodyBytes: number | null;
}

const URL_CHARACTERS_MAX = 300;

/** One line for the agent: `POST https://api.example.com/things, things.write of example, body of 120 bytes`. */
export function summariseCall(call: CallToSummarise): string {
  const url = visibleAscii(call.url);
  const shownUrl = url.length > URL_CHARACTERS_MAX ? `${url.slice(0, URL_CHARACTERS_MAX)}… (cut)` : url;
  const action = call.action === null ? '' : `${visibleText(call.action)} of `;
  const body = call.bodyBytes === null ? 'no body' : `body of ${call.bodyBytes} bytes`;
  return `${visibleAscii(call.method)} ${shownUrl}, ${action}${visibleText(call.integration)}, ${body}`;
}
