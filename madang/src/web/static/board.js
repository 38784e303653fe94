// The entry of every page. Without it the board works by plain forms and links.
import { watchForms } from "./inplace.js";
import { watchNews } from "./news.js";
import { watchTimes } from "./times.js";

watchForms();
watchTimes();
watchNews();
