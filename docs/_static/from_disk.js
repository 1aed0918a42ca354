// Pages opened from the disk may not read other pages: search then lists titles, without the text around what it found.
if (location.protocol === 'file:') DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
