import { type Template, templateSchema } from '@postern/schemas';
import { anthropic } from './anthropic.ts';
import { awsS3 } from './aws-s3.ts';
import { github } from './github.ts';
import { gitlab } from './gitlab.ts';
import { gmail } from './gmail.ts';
import { googleCalendar } from './google-calendar.ts';
import { jira } from './jira.ts';
import { jsonApi } from './json-api.ts';
import { linear } from './linear.ts';
import { notion } from './notion.ts';
import { openai } from './openai.ts';
import { pagerduty } from './pagerduty.ts';
import { sendgrid } from './sendgrid.ts';
import { slack } from './slack.ts';
import { stripe } from './stripe.ts';
import { twilio } from './twilio.ts';

/**
 * The templates that every tenant has without publishing them, all versions that ever were. A version never changes once it is
 * released: what must change is a new one beside it.
 */
export const BUILTIN_TEMPLATES: readonly Template[] = [
  github,
  gitlab,
  slack,
  stripe,
  openai,
  anthropic,
  gmail,
  googleCalendar,
  jira,
  linear,
  notion,
  pagerduty,
  twilio,
  sendgrid,
  awsS3,
  jsonApi,
].map((template) => templateSchema.parse(template));
