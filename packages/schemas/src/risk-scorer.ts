import { z } from 'zod';
import { cidrSchema, nameSchema, uniqueList } from './names.ts';

/**
 * An endpoint in the form of OpenAI's chat completions that is asked how risky a call looks: `POST {baseUrl}/chat/completions`. It sees
 * method, path and up to 500 characters of arguments, and may only raise the score.
 */
export const riskScorerSchema = z.strictObject({
  baseUrl: z
    .url({ protocol: /^https?$/, error: 'must be an absolute URL such as https://api.openai.com/v1' })
    .max(2_048)
    .describe('Where it is asked, such as https://api.openai.com/v1; an instance owner alone may set it'),
  model: z.string().min(1).max(128).describe('The name of the model'),
  secret: nameSchema
    .optional()
    .describe('The secret whose value is its API key, opened for the agents of its environments alone'),
  unsafeAllowAddresses: uniqueList(cidrSchema)
    .optional()
    .describe('Addresses that are not global and may be dialled all the same; an instance owner alone may set it'),
  unsafeAllowCleartextCredentials: z
    .boolean()
    .optional()
    .describe(
      'Permits a base URL with http: excerpts of calls, and the secret, cross the network in clear; an instance owner alone may set it',
    ),
});

export type RiskScorer = z.infer<typeof riskScorerSchema>;
